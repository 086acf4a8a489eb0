"""Measurements of what the proxy costs, beside programs whose cost is known.

Commands, each of which starts what it needs on loopback, prints a Markdown table and, with
``--json FILE``, writes the same figures for a machine:

    python -m benchmarks.throughput    requests per second and latency, beside HAProxy and nginx
    python -m benchmarks.startup       from process start to the first accepted connection
    python -m benchmarks.lookup        look-ups as a cassette grows, and explaining a miss
    python -m benchmarks.memory        resident memory under many exchanges and very large bodies

``_rows`` are those of the throughput table, ``_traffic`` is the traffic that is measured, ``_load``
drives wrk, ``_programs`` starts and stops the programs, ``_origin`` is one of them, ``_watch`` sees
who used the processors, ``_report`` prints. ``docs/benchmarks.md`` says what the figures mean.
"""
