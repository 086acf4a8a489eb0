"""Measurements of what the proxy costs, beside programs whose cost is known.

``python -m benchmarks`` is the suite: it runs everything, compares runs and makes a page of them.
``_suites`` names its suites, ``_scale`` says how much of everything there is, ``_result`` is what a
run leaves behind, ``_compare`` and ``_page`` read that. ``_micro*`` are timed by pyperf, ``_e2e*``
and ``_in_process`` measure the rest, with what the commands have that stand alone, each of which
starts what it needs on loopback, prints a Markdown table and, with ``--json FILE``, writes it too:

    python -m benchmarks.throughput    requests per second and latency, beside HAProxy and nginx
    python -m benchmarks.startup       from process start to the first accepted connection
    python -m benchmarks.lookup        look-ups as a cassette grows, and explaining a miss
    python -m benchmarks.memory        resident memory under many exchanges and very large bodies
    python -m benchmarks.websocket     WebSockets, beside nginx
    python -m benchmarks.workers       what a second worker adds

``_rows`` are those of the throughput table, ``_traffic`` is the traffic that is measured, ``_load``
drives wrk, h2load or ``_asking``, ``_paced`` and ``_kept`` ask without them, ``_instructions`` are
counted where no time can be held, ``_programs`` starts and stops the programs,
``_origin`` is one of them, ``_watch`` sees who used the processors, ``_report`` prints.
``docs/benchmarks.md`` says what the figures mean.
"""
