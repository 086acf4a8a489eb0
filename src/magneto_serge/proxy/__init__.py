"""Sockets: a client's connection on one side, an origin's on the other, the relay between them.

``server`` listens and keeps the books; ``client`` is one client connection; ``connect`` is what
becomes of it after CONNECT; ``exchange`` is one forwarded request and its response; ``upstream``
and ``pool`` are connections to origins and ``dial`` opens them; ``tunnel`` relays what is not
HTTP; ``answers`` writes our own responses and recorded ones, ``pump`` the large ones; ``tee`` keeps
what recording needs; ``gate`` is backpressure. Nothing here knows how a cassette is stored.
"""
