"""Recordings of other tools: read into interactions, and written from them.

One module per format, in each direction; ``kinds`` knows which there are and tells by content which
one a file is. Nothing here opens a socket, runs what a file says, or writes a cassette.
"""
