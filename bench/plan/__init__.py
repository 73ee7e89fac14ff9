"""What is to be measured: settings crossed with sides and their backends. Nothing here starts a process."""
