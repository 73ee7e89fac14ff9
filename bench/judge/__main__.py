"""The process that knows the answers: `python -m bench.judge SETUP`; it imports no backend."""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any

from bench import conversation
from bench.judge.requests import Requests
from bench.region import Region

PR_SET_DUMPABLE = 4  # <linux/prctl.h>


def main(arguments: str) -> None:
    """Serves requests until standard input ends."""
    setup = json.loads(arguments)
    conversation.end_with_parent()
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)  # other processes of the user cannot read its memory
    streams = conversation.take_streams()
    region, requests = Region(setup["region"]), Requests(setup["seed"], setup["problem"])

    def respond(request: dict[str, Any]) -> conversation.Reply:
        return conversation.answer(getattr(requests, request.pop("do")), request, region)

    conversation.serve(respond, *streams)


if __name__ == "__main__":
    main(sys.argv[1])
