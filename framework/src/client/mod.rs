//! What stands behind typed clients: calls, replies, and the way requests take. No generated code here.

mod call;
mod directory;
mod error;
mod fallback;
mod local;
mod options;
mod policies;
mod proxy;
mod replies;
mod request;
mod route;
mod rpc;
mod standalone;

pub(crate) use self::directory::Directory;
pub(crate) use self::rpc::{ClientSettings, RpcClient, body_limit, format_setting};
pub use self::{
    call::{Call, PendingReply},
    error::{CallError, Timeout},
    fallback::{InsteadOf, MethodOf},
    options::{ClientOptions, HasMethods, MethodOptions, ProxyOptions, method_options},
    proxy::{ServiceProxy, UntypedCall},
    rpc::{ClientMethod, ServiceClient, TypedClient},
    standalone::Client,
};
