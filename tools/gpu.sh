#!/bin/sh
# Proves and times everything on a machine with CUDA where nothing can be installed: nine minutes.
# Usage: tools/gpu.sh [FOLDER]
# Needs python3 with the libraries that README.md lists. Each part has a limit and
# a log; a part that fails or is cut off keeps what it has measured and does not stop the others.
# FOLDER (gpu-results by default) then holds logs, runs, and the list `failed`; FOLDER.tar.gz is all of it.
out=$(realpath "${1:-gpu-results}")
cd "$(dirname "$0")/.." || exit 2
python=${PYTHON:-python3}
mkdir -p "$out" && : > "$out/failed" || exit 2
export BENCH_RESULTS="$out/runs"

part() { # NAME SECONDS COMMAND...: an interrupted run still writes its tables
    name=$1 seconds=$2
    shift 2
    echo "== $name, at most $seconds s"
    timeout --signal=INT --kill-after=15 "$seconds" "$@" > "$out/$name.log" 2>&1 ||
        echo "$name: exit code $?, see $name.log" | tee -a "$out/failed"
    tail -n 3 "$out/$name.log"
}

nvidia-smi -q > "$out/nvidia-smi.log" 2>&1
part contract 120 "$python" -m pytest -q tests/backends/test_contract.py -k 'cuda or numpy_manual'
part ways 180 "$python" -m bench run --backends all --processes 4 --blocks 4
part sweep 120 "$python" -m bench run --processes 2 --blocks 2 --steps 5 \
    --backends numpy_manual,torch_autograd,torch_buffers,torch_cudagraph,torch_cudagraph_loop,triton_cudagraph_loop \
    --shapes 1x1000x100x10,16x1000x100x10,256x1000x100x10,4096x1000x100x10,65536x1000x100x10
for problem in examples/*/; do
    part "$(basename "$problem")" 40 "$python" -m bench run --problem "$problem" --quick
done
tar -czf "$out.tar.gz" -C "$out" .
[ ! -s "$out/failed" ]
