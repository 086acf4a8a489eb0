"""The rules: what matches, what is replayed, what is refused. Pure: no I/O, no clock, no asyncio.

``modes`` is the table of modes, ``matching`` projects a request onto its key, ``shelves`` looks
recordings up by that key, ``engine`` decides, ``misses`` explains a refusal, ``secrets`` keeps
credentials off the disk.
"""
