"""Other tools' interfaces over our machinery: ``from magneto_serge.compat import vcr``."""
