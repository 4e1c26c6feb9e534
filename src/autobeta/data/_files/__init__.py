"""Readers of the formats in which images come; each checks what it reads and names its file."""
