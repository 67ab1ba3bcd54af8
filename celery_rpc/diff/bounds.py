"""Bounds: what the limits of two schemas say of one another; pure."""

from math import inf

from celery_rpc.catalog.signature import Schema

#: True, False, or None where it cannot be decided.
Verdict = bool | None


def same_or_open(a: Schema, b: Schema, keyword: str) -> Verdict:
    """Compare what no arithmetic decides: a format, or a pattern."""
    wanted = b.get(keyword)
    if wanted is None or a.get(keyword) == wanted:
        return True
    # A value, or another format: it might fit. Any text at all does not.
    return None if keyword in a else False


def lower(schema: Schema) -> tuple[float, bool]:
    """Return the least value, and whether it is left out."""
    if "const" in schema:
        return schema["const"], False
    limits = [(schema.get("minimum", -inf), False), (schema.get("exclusiveMinimum", -inf), True)]
    return max(limits)


def upper(schema: Schema) -> tuple[float, bool]:
    """Return the greatest value, and whether it belongs to it."""
    if "const" in schema:
        return schema["const"], True
    limits = [(schema.get("maximum", inf), True), (schema.get("exclusiveMaximum", inf), False)]
    return min(limits)


def is_multiple(schema: Schema, step: float) -> Verdict:
    own = schema.get("const", schema.get("multipleOf", 1 if schema.get("type") == "integer" else 0))
    if not step or not own:
        return bool(own == 0 and "const" in schema)
    if isinstance(own, float) or isinstance(step, float):
        return True if own == step else None  # binary fractions decide nothing here
    return bool(own % step == 0)


def lengths(schema: Schema) -> tuple[float, float]:
    """Return how few and how many items a list may have."""
    most = schema.get("maxItems", inf)
    if schema.get("items") is False:
        most = min(most, len(schema.get("prefixItems", ())))
    return schema.get("minItems", 0), most
