"""Contracts: which signature binds the calls of which task, as far as the fleet has told it."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celery_rpc.calls.call import Decode, Target
from celery_rpc.catalog.backends import RPC, heard, mismatch
from celery_rpc.catalog.model import TaskSpec
from celery_rpc.discovery.fleet import Fleet
from celery_rpc.errors import ArgumentsError, BackendMismatch
from celery_rpc.settings.client_options import UNSET, ClientOptions

if TYPE_CHECKING:
    from celery_rpc.validation.arguments import Arguments, Binding


class Contracts:
    """The signatures of one client's tasks, ready to be used; each is made at its first call."""

    def __init__(self, options: ClientOptions, fleet: Fleet) -> None:
        self._options = options
        self._fleet = fleet
        self._bindings: dict[tuple[str, str, str | None], Binding] = {}
        #: Digests whose signature was waited for once: no second call waits.
        self._waited: set[str] = set()
        self._warned: set[str] = set()

    def of(self, target: Target) -> "Binding | None":
        """Return what binds the calls of a task; None: they are sent as they are.

        Where it is only known that there is a signature, waits for it; once, and at most for
        discovery_window.
        """
        spec, validate = target.spec, target.options.validate
        if spec.digest is None and spec.signature is None:
            return None
        if not (self._options.validate if validate is UNSET else validate):
            return None
        return self._bindings.get((target.address.queue, spec.name, spec.digest)) or self._make(
            target
        )

    def _make(self, target: Target) -> "Binding | None":
        spec, queue = target.spec, target.address.queue
        signature = self._fleet.signature_of(spec, wait=spec.digest not in self._waited)
        self._waited.add(spec.digest or "")
        if signature is None or not signature.exact:
            return None
        from celery_rpc.validation.arguments import Binding

        binding = self._bindings[queue, spec.name, spec.digest] = Binding(
            spec.name, signature, self._options.models.get(queue)
        )
        return binding

    def is_ready(self, target: Target) -> bool:
        """Return whether of() answers without waiting."""
        spec = target.spec
        return (
            spec.digest is None
            or spec.signature is not None
            or spec.digest in self._waited
            or self._fleet.signatures.settled(spec.digest)
        )

    def bind(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> "tuple[Sequence[Any], Mapping[str, Any], Decode | None]":
        """Return the arguments as they are sent, and what reads the result.

        Raises:
            ArgumentsError: they do not fit the task's signature; names the parameter.
        """
        binding = self.of(target)
        if binding is None:
            return args, kwargs, None
        if binding.deprecated and binding.task not in self._warned:
            self._warned.add(binding.task)
            message = f"{binding.task} is deprecated: {binding.deprecated}"
            # Here, in the caller, in its method, in the proxy, and there is who called.
            warnings.warn(message, DeprecationWarning, stacklevel=5)
        args, kwargs = self._agreed(target, binding.bind, args, kwargs)
        return args, kwargs, self.decoder(target)

    def bind_some(
        self,
        target: Target,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        immutable: bool,
    ) -> "Arguments":
        """Do the same for a signature, which may lack arguments unless it is immutable."""
        binding = self.of(target)
        if binding is None:
            return args, kwargs
        bind = binding.bind if immutable else binding.bind_some
        return self._agreed(target, bind, args, kwargs)

    def _agreed(
        self,
        target: Target,
        bind: "Callable[[Sequence[Any], Mapping[str, Any]], Arguments]",
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> "Arguments":
        try:
            return bind(args, kwargs)
        except ArgumentsError:
            # Whichever worker takes the call may have the other signature, which they fit.
            if self._fleet.is_skewed(target.address.queue, target.spec.name):
                return args, kwargs
            raise

    def decoder(self, target: Target) -> Decode | None:
        """Return what reads a task's results into its declared type."""
        if self._fleet.is_skewed(target.address.queue, target.spec.name):
            return None
        binding = self.of(target)
        return None if binding is None else binding.read

    def ignores(self, target: Target) -> bool:
        """Whether no reply comes: the caller wants none, or the task gives none."""
        ignored = target.options.ignore_result
        if ignored is None:
            return target.spec.ignore_result and not self._answers(target.spec)
        return ignored

    def _answers(self, spec: TaskSpec) -> bool:
        """Whether the workers of a task answer this client, wherever they keep its results."""
        return spec.answers and self._options.backend == RPC

    def check_answer(self, target: Target, blocking: bool) -> None:
        """Refuse to wait for a reply that cannot come.

        Raises:
            BackendMismatch: the workers send results elsewhere, or nowhere.
        """
        spec, ignored = target.spec, target.options.ignore_result
        if ignored or spec.backend is None or self._answers(spec):
            return
        unstored = spec.ignore_result and ignored is None
        if unstored and not blocking:
            return
        if unstored and not spec.answers:
            raise BackendMismatch(
                f"{spec.name} ignores its result, so no reply would come: send it by .delay(), "
                "ask for the result by .options(ignore_result=False), or let the service "
                "answer, by celery_rpc.worker.expose(app) in its code"
            )
        if unstored or spec.backend != heard(self._options.backend):
            kind = spec.replies or spec.backend
            raise BackendMismatch(
                mismatch(spec.name, target.address.queue, kind, self._options.backend)
            )
