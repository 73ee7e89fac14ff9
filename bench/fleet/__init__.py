"""The same run on every node of a cluster: engines call one function, `node.measure`, there."""
