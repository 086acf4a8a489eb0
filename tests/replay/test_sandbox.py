"""The sandbox: what a template can do, what it cannot reach, and that it always ends."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

pytest.importorskip("jinja2")

from magneto_serge.replay import sandbox
from magneto_serge.replay.sandbox import Sandbox, TemplateFailure


def render(source: str, **variables: object) -> str:
    """Compile and render."""
    box = Sandbox(time.perf_counter, {"helper": lambda value="h": value})
    return box.render(box.template(source), variables)


SUM = "{% set ns = namespace(n=0) %}{% for i in range(5) %}{% set ns.n = ns.n + i %}{% endfor %}"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain\n", "plain\n"),
        ("{{ 1 + 2 }} {{ 7 // 2 }} {{ 7 % 4 }}", "3 3 3"),
        ("{{ 2 ** 8 }} {{ 3 * 4 }} {{ 1 / 4 }}", "256 12 0.25"),
        ("{{ 'a' ~ 1 ~ none }}", "a1None"),
        ("{{ 'ab' * 2 }}{{ 2 * 'ab' }}{{ 'a' * -1 }}", "abababab"),
        ("{{ 'a' + 'b' }} {{ ([1] + [2])|join('-') }}", "ab 1-2"),
        ("{{ name|upper }} {{ name[:2] }} {{ name.title() }}", "SERGE se Serge"),
        ("{% for x in [1, 2] %}{{ loop.index }}/{{ loop.length }};{% endfor %}", "1/2;2/2;"),
        ("{% for k, v in {'a': 1}.items() if v %}{{ k }}={{ v }}{% else %}none{% endfor %}", "a=1"),
        ("{% set x = 1 %}{% if x > 0 and not nope is defined %}yes{% endif %}", "yes"),
        (SUM + "{{ ns.n }}", "10"),
        ("{{ {'a': [1, none, true], 'é': 'x'}|tojson }}", '{"a": [1, null, true], "é": "x"}'),
        ("{{ nope|default('d') }} {{ helper() }} {{ helper(3) }}", "d h 3"),
        ("{{ 'é/'|urlencode }} {{ '<'|escape }}", "%C3%A9%2F &lt;"),
        ("{{ 'x'|b64encode }} {{ 'eA=='|b64decode }}", "eA== x"),
        ("{{ 'aXb'|replace('X', '-') }} {{ 3|string }} {{ 2.567|round(1) }}", "a-b 3 2.6"),
        ("{{ 'b' in 'abc' }} {{ 1 if false else 2 }} {{ -1 }}", "True 2 -1"),
        ("{% raw %}{{ x }}{% endraw %}{# gone #}", "{{ x }}"),
    ],
)  # fmt: skip
def test_what_a_template_can_do(source: str, text: str) -> None:
    """Expressions, conditions, loops and harmless filters are Jinja's."""
    assert render(source, name="serge") == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ helper.__globals__ }}",
        "{{ helper.__code__ }}",
        "{{ ''['__class__'] }}",
        "{{ namespace.mro() }}",
        "{{ 'x'|attr('__class__') }}",
        "{{ [].append(1) }}",
        "{{ {}.update(a=1) }}",
        "{{ 'a'.format() }}",
        "{{ '{}'.format_map({}) }}",
        "{{ 'a'.encode() }}",
        "{{ cycler('a') }}",
        "{{ lipsum() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% block x %}{% endblock %}",
        "{% set x %}block{% endset %}",
        "{% filter upper %}x{% endfilter %}",
        "{% for x in [] recursive %}{% endfor %}",
        "{% do 1 %}",
        "{{ 'x'|map('upper') }}",
        "{{ 'x'|pprint }}",
    ],
)
def test_what_it_cannot_reach(source: str) -> None:
    """Nothing of Python's inside, no other files, nothing that calls itself."""
    with pytest.raises(TemplateFailure):
        render(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ [0] * 10 ** 9 }}",
        "{{ 9 ** (9 ** 9) }}",
        SUM.replace("5", "99999").replace("ns.n + i", "(ns.n + 2) * (ns.n + 2)"),
        "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x ~ x %}" * 40,
        "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x + x %}" * 40,
        "{% set x = [1] %}" + "{% set x = [x, x] %}" * 40,
        "{% set x = {'a': 1} %}" + "{% set x = {'a': x, 'b': x} %}" * 40,
        "{{ '{:>999999999}'.format(1) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ 'a'.ljust(10 ** 9) }}",
        "{{ 'a'.replace('a', 'b' * 1000) }}",
        "{{ 'a'|center(10 ** 9) }}",
        "{{ 'a'|indent(10 ** 9) }}",
        "{{ 1.0|round(10 ** 9) }}{{ 'x' * 10 ** 9 }}",
        "{{ ('a' * 900000)|replace('a', 'b' * 900000) }}",
        "{{ (range(50000)|list)|join('x' * 900000) }}",
        "{% for i in range(99999) %}" + "y" * 1000 + "{% endfor %}",
        "{% for i in range(99999) %}{{ (range(99999)|list)|length }}{% endfor %}",
        "{{ range(10 ** 9) }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ [" * 300 + "1" + "]" * 300 + " }}",
        "x" * (sandbox.LONGEST + 1),
    ],
)  # fmt: skip
def test_bombs(source: str) -> None:
    """However much a template asks for, it ends soon, and in a message."""
    with pytest.raises(TemplateFailure) as caught:
        render(source)
    assert str(caught.value)


def test_time_runs_out() -> None:
    """What the work does not bound, the clock does."""
    moments = iter(range(1000))
    box = Sandbox(lambda: float(next(moments)), {})
    with pytest.raises(TemplateFailure, match=r"more than 0.5 seconds"):
        box.render(box.template("{% for i in range(10) %}{% endfor %}"), {})


def test_each_rendering_has_its_own_limits() -> None:
    """What one has spent, the next one has again."""
    box = Sandbox(time.perf_counter, {})
    template = box.template("{{ 'x' * 900000 }}")
    for _ in range(10):
        assert len(box.render(template, {})) == 900_000


def explode() -> str:
    """Fail, as a user's function may."""
    raise LookupError("nothing there")


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("a\n{{ b\n", 2, "unexpected end of template"),
        ("\n\n{% if %}", 3, "Expected an expression"),
        ("\n{% nonsense %}", 2, "unknown tag"),
        ("\n{{ 'x'|nonsense }}", 2, "No filter named 'nonsense'"),
        ("\n{% macro f() %}{% endmacro %}", 2, "Macro has no place"),
        ("\n{{ nope }}", 2, "'nope' is undefined"),
        ("\n{{ nope + 1 }}", 2, "'nope' is undefined"),
        ("\n{{ nope - 1 }}", 2, "'nope' is undefined"),
        ("\n{{ nope|tojson }}", 2, "'nope' is undefined"),
        ("\n{{ 1 / 0 }}", 2, "ZeroDivisionError"),
        ("\n{{ 'a' - 1 }}", 2, "str and int cannot be calculated with"),
        ("\n{{ [1] }}", 2, "use |tojson or |join"),
        ("\n{{ explode() }}", 2, "LookupError: nothing there"),
        ("\n{{ 'x' * 10 ** 9 }}", 2, "it makes too much"),
        ("\n{{ ''.__class__ }}", 2, "unsafe"),
    ],
)
def test_mistakes_have_a_line(source: str, line: int, says: str) -> None:
    """Whether it shows when it is compiled or when it is rendered."""
    box = Sandbox(time.perf_counter, {"explode": explode})
    with pytest.raises(TemplateFailure) as caught:
        box.render(box.template(source), {})
    assert says in str(caught.value)
    assert caught.value.line == line


def test_long_output_of_objects() -> None:
    """What a user's function returns is shown as text, if that is not too long."""

    class Thing:
        def __init__(self, size: int) -> None:
            self.size = size

        def __str__(self) -> str:
            return "x" * self.size

    made: Callable[..., object] = Thing
    box = Sandbox(time.perf_counter, {"thing": made})
    assert box.render(box.template("{{ thing(3) }}"), {}) == "xxx"
    with pytest.raises(TemplateFailure, match="too long"):
        box.render(box.template("{{ thing(2000000) }}"), {})
