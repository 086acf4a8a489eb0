"""Jinja for text that a stranger may have written: nothing to reach, and an end to everything.

Jinja's own sandbox keeps a template away from Python's inside. It does not keep it from taking all
the time and memory there is (``{% for a in range(99999) %}`` within itself, ``'x' * 10**9``, a
string that doubles thirty times), so here:

* only statements and expressions that are in ``_ALLOWED`` compile: no macros, no includes, no
  inheritance, no recursion;
* only filters that cannot make much of little are known, and of strings, lists and dictionaries
  only such methods can be called;
* every turn of a loop, operator, call, filter and output is *paid for*, by the size of what comes
  of it; a rendering that has spent ``WORK``, or ``SECONDS``, is stopped.

What goes wrong is a :class:`TemplateFailure` with the line. Imported where a template is used.
"""

from __future__ import annotations

import functools
import html
import json
import operator
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from jinja2 import StrictUndefined, Template, Undefined, nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from jinja2.filters import FILTERS
from jinja2.runtime import LoopContext
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace

from magneto_serge.replay.hooks import described, place_of

WORK = 4_000_000  # characters and items that one rendering may make
STEP = 10  # and what a step of it costs: some 0.1 s for all of them
SECONDS = 0.5  # and the time that it may take, during which nobody else is served
LONGEST = 1_000_000  # characters of one value, and of a template's source
_DIGITS = 4096  # bits of a whole number
_FILE = "<template>"

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.NSRef,
    nodes.Const,
    nodes.List,
    nodes.Tuple,
    nodes.Dict,
    nodes.Pair,
    nodes.Keyword,
    nodes.Filter,
    nodes.Test,
    nodes.Call,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.BinExpr,
    nodes.UnaryExpr,
    nodes.Concat,
    nodes.If,
    nodes.For,
    nodes.Assign,
)

# fmt: off
_STR = frozenset((
    "capitalize", "casefold", "count", "endswith", "find", "isalnum", "isalpha", "isdigit",
    "islower", "isnumeric", "isspace", "isupper", "lower", "lstrip", "partition", "removeprefix",
    "removesuffix", "rfind", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith",
    "strip", "swapcase", "title", "upper",
))
_LOOP = frozenset((
    "cycle", "changed", "depth", "depth0", "first", "index", "index0", "last", "length",
    "nextitem", "previtem", "revindex", "revindex0",
))
# Those of Jinja that make nothing larger than what they are given, to a small factor.
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items",
    "last", "length", "list", "lower", "max", "min", "reverse", "sort", "title", "trim",
    "truncate", "unique", "upper",
)
# fmt: on
_METHODS: tuple[tuple[type | tuple[type, ...], frozenset[str]], ...] = (
    (str, _STR),
    (dict, frozenset(("get", "items", "keys", "values"))),
    ((list, tuple), frozenset(("index", "count"))),
    ((bytes, bytearray, int, float, bool, complex, set, frozenset), frozenset()),
    (LoopContext, _LOOP),
)


class TemplateFailure(Exception):  # noqa: N818 - the field says failure for what an exchange does
    """A template that cannot be compiled or rendered; ``line`` counts from 1, 0 if unknown."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


class Sandbox(SandboxedEnvironment):
    """Compiles and renders; one rendering at a time. ``timer`` counts seconds."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "**", "%"))

    def __init__(self, timer: Callable[[], float], names: Mapping[str, object]) -> None:
        super().__init__(
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            finalize=self._shown,
            cache_size=0,
            optimized=False,  # what costs is to be paid for when it is rendered
        )
        self._timer = timer
        self._left = WORK
        self._until = 0.0
        own: dict[str, Callable[..., Any]] = {
            "b64decode": lambda value: b64decode(_text(value)).decode("utf-8", "replace"),
            "b64encode": lambda value: b64encode(_text(value).encode()).decode(),
            "escape": lambda value: html.escape(_text(value)),
            "join": self._join,
            "replace": self._replace,
            "round": lambda value, digits=0: round(value, max(-15, min(digits, 15))),
            "string": _text,
            "tojson": self._tojson,
            "urlencode": lambda value: quote(_text(value), safe=""),
        }
        kept = {name: FILTERS[name] for name in _FILTERS}
        self.filters = {name: self._paid(each) for name, each in {**kept, **own}.items()}
        self.globals = {"range": self.globals["range"], "namespace": Namespace, **names}

    # --- compiling and rendering -----------------------------------------------------------

    def template(self, source: str) -> Template:
        """Compile ``source``; raises TemplateFailure."""
        if len(source) > LONGEST:
            raise TemplateFailure(f"a template has {LONGEST} characters at most")
        self._begin()
        try:
            tree = self.parse(source, filename=_FILE)
            code = self.compile(self._guarded(tree), filename=_FILE)
            return Template.from_code(self, code, self.make_globals(None))
        except TemplateSyntaxError as error:
            raise TemplateFailure(error.message or "it is no template", error.lineno) from None
        except (RecursionError, MemoryError):
            raise TemplateFailure("it is nested too deeply") from None

    def render(self, template: Template, variables: Mapping[str, object]) -> str:
        """Render; raises TemplateFailure."""
        self._begin()
        pieces: list[str] = []
        try:
            for piece in template.generate(variables):
                self.pay(len(piece))
                pieces.append(piece)
        except TemplateFailure as failure:
            failure.line = failure.line or _line(failure)
            raise
        except RecursionError:
            raise TemplateFailure("it is nested too deeply") from None
        except TemplateError as error:
            raise TemplateFailure(error.message or described(error), _line(error)) from None
        except Exception as error:  # of a user's function, or of an operator: 1 / 0
            raise TemplateFailure(described(error), _line(error)) from error
        return "".join(pieces)

    def _guarded(self, node: nodes.Node) -> Any:
        """Return the tree with what has to be paid for wrapped; raises TemplateSyntaxError."""
        if not isinstance(node, _ALLOWED):
            kind = type(node).__name__
            raise TemplateSyntaxError(f"{kind} has no place in a cassette's template", node.lineno)
        for field, value in node.iter_fields():
            if isinstance(value, nodes.Node):
                setattr(node, field, self._guarded(value))
            elif isinstance(value, list):
                items = [self._guarded(x) if isinstance(x, nodes.Node) else x for x in value]
                setattr(node, field, items)
        if isinstance(node, nodes.For):
            if node.recursive:
                raise TemplateSyntaxError("a loop cannot be recursive", node.lineno)
            node.iter = _call("counted", [node.iter], node.lineno)
        elif isinstance(node, nodes.Assign):
            node.node = _call("bounded", [node.node], node.lineno)
        elif isinstance(node, nodes.Concat):
            return _call("concatenated", node.nodes, node.lineno)
        return node

    # --- paying ----------------------------------------------------------------------------

    def _begin(self) -> None:
        self._left, self._until = WORK, self._timer() + SECONDS

    def pay(self, size: int) -> None:
        """Count one step, and ``size`` characters or items; raises TemplateFailure at the end."""
        self._left -= size + STEP
        if self._left < 0:
            raise TemplateFailure("it makes too much: is there a loop in a loop?")
        if self._timer() > self._until:
            raise TemplateFailure(f"it takes more than {SECONDS:g} seconds")

    def _paid(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def paid(*arguments: Any, **named: Any) -> Any:
            self.pay(sum(map(_size, arguments)))
            return function(*arguments, **named)

        return paid

    def counted(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the items of a loop, each paid for."""
        for item in items:
            self.pay(0)
            yield item

    def bounded(self, value: Any) -> Any:
        """Return a value that is to have a name; what it holds is paid for."""
        waiting = [value]
        while waiting:
            each = waiting.pop()
            self.pay(_size(each) if isinstance(each, str) else 0)
            if isinstance(each, Mapping):
                waiting.extend(each.values())
            elif isinstance(each, list | tuple | set | frozenset):
                waiting.extend(each)
        return value

    def concatenated(self, *values: Any) -> str:
        """Return ``a ~ b``."""
        texts = [_text(value) for value in values]
        self.pay(sum(map(len, texts)))
        return "".join(texts)

    def call(__self, __context: Any, __obj: Any, *arguments: Any, **named: Any) -> Any:  # noqa: N805 - as Jinja has it: names of a template must not collide
        """Call what a template calls."""
        result = super().call(__context, __obj, *arguments, **named)
        __self.pay(_size(result))
        return result

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Apply an operator to what it may be applied to."""
        return _OPERATORS[operator](self, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell whether a template may see this attribute."""
        for kinds, names in _METHODS:
            if isinstance(obj, kinds):
                return attr in names
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Know no ``str.format``: ``'{:>999999999}'`` makes much of little."""

    def _shown(self, value: Any) -> str:
        return _text(value)

    # --- filters ---------------------------------------------------------------------------

    def _join(self, value: Iterable[Any], between: str = "") -> str:
        texts = [_text(each) for each in self.counted(value)]
        self.pay(sum(map(len, texts)) + len(texts) * len(between))
        return between.join(texts)

    def _replace(self, value: Any, old: str, new: str) -> str:
        text = _text(value)
        self.pay(len(text) + text.count(old) * len(new))
        return text.replace(old, new)

    def _tojson(self, value: Any, indent: int | None = None) -> str:
        if isinstance(value, Undefined):
            _text(value)
        pieces = []
        for piece in json.JSONEncoder(indent=indent, ensure_ascii=False).iterencode(value):
            self.pay(len(piece))
            pieces.append(piece)
        return "".join(pieces)


def _call(name: str, arguments: list[Any], line: int) -> nodes.Call:
    call = nodes.Call(nodes.EnvironmentAttribute(name), arguments, [], None, None)
    call.set_lineno(line)
    return call


def _line(error: BaseException) -> int:
    return int(place_of(error, _FILE).removeprefix(_FILE).removeprefix(":") or 0)


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple | dict) else 0


def _text(value: Any) -> str:
    """Return a value as output; a list has to say how (``|tojson``, ``|join``)."""
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, int | float | Undefined):
        return str(value)  # Undefined: raises, and says of what
    if isinstance(value, list | tuple | dict | set | frozenset):
        raise TemplateFailure(f"a {type(value).__name__} has no text: use |tojson or |join")
    text = str(value)
    if len(text) > LONGEST:
        raise TemplateFailure("it makes too long a text")
    return text


# --- operators ----------------------------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _plain(apply: Callable[[Any, Any], Any]) -> Callable[[Sandbox, Any, Any], Any]:
    def applied(sandbox: Sandbox, left: Any, right: Any) -> Any:
        sandbox.pay(0)
        if not _is_number(left) or not _is_number(right):
            raise TypeError(f"{_kind(left)} and {_kind(right)} cannot be calculated with")
        return apply(left, right)

    return applied


def _kind(value: Any) -> str:
    if isinstance(value, Undefined):
        _text(value)
    return type(value).__name__


def _add(sandbox: Sandbox, left: Any, right: Any) -> Any:
    sandbox.pay(_size(left) + _size(right))
    if isinstance(left, Undefined) or isinstance(right, Undefined):
        _kind(left), _kind(right)
    return left + right


def _multiply(sandbox: Sandbox, left: Any, right: Any) -> Any:
    for many, times in ((left, right), (right, left)):
        if not _is_number(many) and isinstance(times, int):
            sandbox.pay(_size(many) * max(times, 0))
            return many * times
    _small(left, right)
    return _plain(operator.mul)(sandbox, left, right)


def _power(sandbox: Sandbox, left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        _small(left)
        if abs(right) * left.bit_length() > _DIGITS:
            raise TemplateFailure("the number is too large")
    return _plain(operator.pow)(sandbox, left, right)


def _small(*values: Any) -> None:
    for value in values:
        if isinstance(value, int) and value.bit_length() > _DIGITS:
            raise TemplateFailure("the number is too large")


_OPERATORS: dict[str, Callable[[Sandbox, Any, Any], Any]] = {
    "+": _add,
    "-": _plain(operator.sub),
    "*": _multiply,
    "/": _plain(operator.truediv),
    "//": _plain(operator.floordiv),
    "**": _power,
    "%": _plain(operator.mod),
}

__all__ = ["Sandbox", "Template", "TemplateFailure"]
