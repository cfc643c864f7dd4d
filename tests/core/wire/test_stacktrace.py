"""Stack traces as the languages write them: the frame nearest to the failure, and whose code it is."""

from __future__ import annotations

import pytest

from server.core.wire.event import MAX_FRAMES, MAX_TEXT, Frame
from server.core.wire.stacktrace import frames_of

PYTHON = """\
Traceback (most recent call last):
  File "/shop/cart.py", line 3, in total
    return price / count
           ~~~~~~^~~~~~~
ZeroDivisionError: division by zero

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/shop/main.py", line 12, in <module>
    pay(0)
  File "/shop/main.py", line 9, in pay
    checkout(count)
  File "/venv/lib/python3.12/site-packages/shoplib/core.py", line 80, in checkout
    raise CartError("no items")
shoplib.core.CartError: no items
"""
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/shop/main.py", line 4, in <module>
  |     raise ExceptionGroup("all", errors)
  | ExceptionGroup: all (1 sub-exception)
"""
NODE = """\
TypeError: Cannot read properties of null (reading 'x')
    at total (file:///shop/cart.js:1:24)
    at async Cart.pay (/shop/cart.js:2:21)
    at /shop/main.js:3:18
    at Module._compile (node:internal/modules/cjs/loader:1521:14)
    at handle (/shop/node_modules/express/lib/router.js:10:3)
"""
FIREFOX = """\
total@https://shop.example/assets/cart.js:42:7
@https://shop.example/assets/main.js:3:1
"""
JAVA = """\
java.lang.RuntimeException: outer
	at shop.Cart.total(Cart.java:42)
	at java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
	at java.base/java.lang.reflect.Method.invoke(Method.java:569)
Caused by: java.lang.IllegalStateException: boom
	at shop.Count.check(Count.java:7)
	... 8 more
"""
DOTNET = """\
System.DivideByZeroException: Attempted to divide by zero.
   at System.Decimal.Div(Decimal a, Decimal b) in /_/src/Decimal.cs:line 9
   at Shop.Cart.Total(Int32 count) in /shop/Cart.cs:line 42
"""
RUBY = """\
cart.rb:1:in `/': divided by 0 (ZeroDivisionError)
	from cart.rb:1:in 'Cart#total'
	from /usr/share/gems/rack-3.0/lib/rack.rb:2:in `call'
"""
PHP = """\
#0 /shop/cart.php(42): Cart->total()
#1 {main}
"""
GO = """\
goroutine 1 [running]:
runtime/debug.Stack()
	/usr/lib/go-1.19/src/runtime/debug/stack.go:24 +0x65
main.(*Cart).total(0xc0000061a0?)
	/shop/cart.go:4 +0x19
main.main()
	/shop/cart.go:5 +0x1e
"""
RUST = """\
   0: std::panicking::begin_panic
             at /rustc/90b35a6/library/std/src/panicking.rs:12:5
   1: shop::cart::total
             at ./src/cart.rs:42:9
"""

FORMS: dict[str, tuple[str, list[tuple[str | None, str, int | None]]]] = {
    "python": (PYTHON, [("pay", "/shop/main.py", 9), ("<module>", "/shop/main.py", 12)]),
    "python, a group": (GROUP, [("<module>", "/shop/main.py", 4)]),
    "node": (NODE, [("total", "/shop/cart.js", 1), ("Cart.pay", "/shop/cart.js", 2), (None, "/shop/main.js", 3)]),
    "firefox": (
        FIREFOX,
        [("total", "https://shop.example/assets/cart.js", 42), (None, "https://shop.example/assets/main.js", 3)],
    ),
    "java": (JAVA, [("shop.Cart.total", "Cart.java", 42), ("shop.Count.check", "Count.java", 7)]),
    "dotnet": (DOTNET, [("Shop.Cart.Total", "/shop/Cart.cs", 42)]),
    "ruby": (RUBY, [("/", "cart.rb", 1), ("Cart#total", "cart.rb", 1)]),
    "php": (PHP, [("Cart->total", "/shop/cart.php", 42)]),
    "go": (GO, [("main.(*Cart).total", "/shop/cart.go", 4), ("main.main", "/shop/cart.go", 5)]),
    "rust": (RUST, [("shop::cart::total", "./src/cart.rs", 42)]),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_own_frames_nearest_to_the_failure_first(name: str) -> None:
    text, expected = FORMS[name]
    found = frames_of(text)
    assert [(frame.function, frame.filename, frame.lineno) for frame in found] == expected
    assert all(frame.in_app for frame in found)


def test_python_also_shows_the_code() -> None:
    assert [frame.context_line for frame in frames_of(PYTHON)] == ["checkout(count)", "pay(0)"]
    bare = '  File "/a.py", line 1, in f\n  File "/b.py", line 2\n'  # where the source is not there
    assert frames_of(bare) == (Frame(None, "/b.py", 2, True, None), Frame("f", "/a.py", 1, True, None))


def test_where_no_frame_is_the_applications_own_all_are_shown() -> None:
    text = "\tat java.base/java.lang.Iterable.forEach(Iterable.java:75)\n\tat jdk.Main.main(Native Method)\n"
    assert [(frame.lineno, frame.in_app) for frame in frames_of(text)] == [(75, False), (None, False)]


@pytest.mark.parametrize("text", ["", "\n\n", "it failed", "at", "at f(", 'File "', "x" * 10_000])
def test_no_frames(text: str) -> None:
    assert frames_of(text) == ()


def test_what_is_kept_is_bounded() -> None:
    long = f"\tat {'f' * 250} (/{'p' * 80}.js:{'9' * 4}:1)\n" * 3_000
    found = frames_of(long)
    assert len(found) == MAX_FRAMES
    assert all(len(frame.function or "") <= MAX_TEXT for frame in found)
    assert frames_of("    at f (a.js:99999999999999:1)")[0].lineno is None
