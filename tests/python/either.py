"""What differs between Nameko 2 and 3, for a peer that runs on both: where settings are, and how the clients are called."""

import warnings

warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

import nameko  # noqa: E402

NAMEKO3 = hasattr(nameko, "config")


def cluster(uri, context=None, timeout=10):
    """A standalone client of all services, to be entered with `with`."""
    if NAMEKO3:
        from nameko.standalone.rpc import ClusterRpcClient

        return ClusterRpcClient(context, timeout=timeout, uri=uri)
    from nameko.standalone.rpc import ClusterRpcProxy

    return ClusterRpcProxy({"AMQP_URI": uri}, context_data=context, timeout=timeout)


def dispatcher(uri):
    """A standalone dispatcher: `dispatch(source, event_type, payload)`."""
    from nameko.standalone.events import event_dispatcher

    return event_dispatcher(uri=uri) if NAMEKO3 else event_dispatcher({"AMQP_URI": uri})


def runner(uri, max_workers):
    from nameko.runners import ServiceRunner

    config = {"AMQP_URI": uri, "max_workers": max_workers}
    if NAMEKO3:
        # Before any service class is made: clients among its dependencies read it then.
        nameko.config.setup(config)
        return ServiceRunner()
    return ServiceRunner(config)


def any_service():
    """A dependency that calls any service and passes the context on: `services[name].method()`."""
    if NAMEKO3:
        from nameko.rpc import ClusterRpc

        return ClusterRpc()

    from nameko.extensions import DependencyProvider
    from nameko.rpc import ReplyListener, ServiceProxy

    class AnyService(DependencyProvider):
        replies = ReplyListener()

        def get_dependency(self, worker_ctx):
            return Services(lambda name: ServiceProxy(worker_ctx, name, self.replies))

    class Services:
        def __init__(self, proxy):
            self.proxy = proxy

        def __getitem__(self, name):
            return self.proxy(name)

    return AnyService()
