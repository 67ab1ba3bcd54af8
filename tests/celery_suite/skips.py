"""What of Celery's tests cannot pass, and why: docs/canvases.md has it in other words."""

from fnmatch import fnmatchcase

#: Reason -> tests, as ``file.py::class::test``, and all that begin so.
SKIPS: dict[str, tuple[str, ...]] = {
    "runs the task's code in the calling process: a client has none": (
        "test_canvas.py::test_link_error::test_link_error_eager",
        "test_canvas.py::test_link_error::test_link_error",
        "test_canvas.py::test_link_error::test_link_error_callback_error_callback_retries_eager",
        "test_canvas.py::test_link_error::test_link_error_using_signature_eager",
        "test_canvas.py::test_chain::test_eager_chain_inside_task",
        "test_canvas.py::test_chord::test_eager_chord_inside_task",
        "test_canvas.py::test_chord::test_chord_in_chain_with_args",
        "test_canvas.py::test_chord::test_chain_in_chain_with_args",
        "test_tasks.py::test_apply_tasks::*",
    ),
    "looks into a result backend in Redis: there is none over rpc": (
        "test_canvas.py::test_group::test_empty_group_result",
        "test_canvas.py::test_chord::test_simple_chord_with_a_delay_in_group_save",
        "test_canvas.py::test_chord::test_redis_subscribed_channels_leak",
        "test_canvas.py::test_chord::test_chord_on_error",
        "test_tasks.py::test_task_redis_result_backend::*",
    ),
    "needs its worker in the process of the test": (
        "test_tasks.py::test_trace_log_arguments::*",
        "test_inspect.py::test_Inspect::test_stats",
    ),
    "the worker itself sends a chord, or replaces a task by a group: over rpc it cannot": (
        "test_canvas.py::test_chain::test_groupresult_serialization",
        "test_canvas.py::test_group::test_task_replace_with_group_preserves_group_order",
        "test_canvas.py::test_chord::test_replaced_nested_chord",
        "test_canvas.py::test_chord::test_group_chain",
        "test_canvas.py::test_chord::test_group_kwargs",
        "test_canvas.py::test_chord::test_group_args_and_kwargs",
        "test_canvas.py::test_chord::test_single_task_header",
        "test_canvas.py::test_chord::test_empty_header_chord",
        "test_canvas.py::test_chord::test_nested_chord",
    ),
    "a task adds to the chord that it is in: workers do not know of chords that we run": (
        "test_canvas.py::test_chord::test_add_to_chord",
        "test_canvas.py::test_chord::test_add_chord_to_chord",
    ),
    "a header is read to its end before any of it is sent: all of it is checked": (
        "test_canvas.py::test_chord::test_generator[[]*",
    ),
    "expects Celery's issue 6734, a result that never comes: here it comes": (
        "test_canvas.py::test_group::test_nested_group_chord_body_chain",
    ),
    "arguments are checked before they are sent where a service publishes its signatures": (
        "test_tasks.py::test_tasks::test_wrong_arguments",
    ),
    "time limits that a task declares are not known here: its worker has them": (
        "test_tasks.py::test_tasks::test_soft_time_limit_exceeding_time_limit",
        "test_tasks.py::test_tasks::test_request_time_limits_from_task_declaration",
    ),
    "an exception that its worker could not pickle is known by its name, not by Celery's wrapper": (
        "test_tasks.py::test_tasks::test_fail_with_unpickleable_exception",
    ),
    "an option that is none of a call's is refused, not sent as a property of the message": (
        "test_tasks.py::test_tasks::test_properties",
    ),
}

#: The same for our own chain, group and chord.
OURS: dict[str, tuple[str, ...]] = {
    "task_allow_error_cb_on_chord_header is heeded by Celery's classes alone": (
        "test_canvas.py::test_chord::test_flag_allow_error_cb_on_chord_header_on_upgraded_chord",
    ),
}


def reason(test: str, family: str) -> str:
    """Return why a test cannot pass; empty where it must."""
    tables = [SKIPS, OURS] if family == "ours" else [SKIPS]
    for table in tables:
        for why, names in table.items():
            if any(fnmatchcase(test, name) for name in names):
                return why
    return ""
