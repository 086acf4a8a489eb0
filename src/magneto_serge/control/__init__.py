"""Sessions over HTTP: a running proxy asked and told what to do, by programs in any language."""
