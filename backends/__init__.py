"""What is computed: one file per way of writing the training step; the file's name is the backend's name.

Nothing here may import `bench`: how a step is measured must never leak into how it is written.
"""
