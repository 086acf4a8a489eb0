"""Certificates: our authority, leaves for the hosts clients ask for, and whom we trust ourselves.

``authority`` loads or makes the CA, ``inspection`` judges one without ``cryptography``; ``minting``
signs, ``leaf`` keeps what was signed, ``names`` checks what may be signed; ``contexts`` has the
``ssl`` contexts; ``trust`` knows where systems keep their trust and ``bundle`` adds ours to it;
``pem`` and ``atomic`` are about files; ``install_help`` tells people what to click.
"""
