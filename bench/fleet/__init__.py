"""The same run on every node of a cluster: started by a launcher, held by a lock, brought home as folders, one table.

A node is asked through a stream of bytes and nothing else: no file system is shared, and what a node has measured lies in a
folder of its own until somebody fetches it.
"""
