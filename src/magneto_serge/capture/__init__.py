"""The process under test, led to the proxy without its code knowing.

What a session needs inside this very process: the environment that clients and children read
(``environment``), the sockets of clients that read none (``sockets``), and trust in our certificate
for those that have made up their minds (``trust``). ``scopes`` says which session a piece of code
belongs to. Everything is put back when no session is left.
"""
