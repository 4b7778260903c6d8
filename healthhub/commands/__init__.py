"""Commands of the healthhub program: one file each."""
