//! Where sockets connect, and what their messages fire.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    extract::{FromRequestParts, WebSocketUpgrade, ws::Utf8Bytes},
    http::StatusCode,
    response::Response,
};

use super::{
    connection::Connection, frame, outbox::Outbox, relay::Relay, settings::SocketSettings, socket::Socket,
    sockets::Sockets,
};
use crate::{
    Result,
    codec::Format,
    dependency::ContainerScope,
    entrypoint::request::{Ended, Runner, Target, failure},
    http::{context::Head, problem, router::Route, token_cookie::TokenCookie},
    observe::EntrypointKind,
    protocol::{Fault, Headers, Message, Properties, context_data::TOKEN_HEADER, excerpt},
    service::{MethodInfo, Outcome},
    transport::{Consumer, ConsumerStatus, Transport},
    worker::log,
};

/// The websockets of one service.
pub(in crate::http) struct SocketEndpoint {
    runner: Arc<Runner>,
    methods: HashMap<&'static str, (&'static MethodInfo, Target)>,
    settings: SocketSettings,
    cookie: Arc<Result<Option<TokenCookie>>>,
    sockets: Sockets,
    /// Whether the service has a hub, which needs the way to other instances.
    has_hub: bool,
    consumer: OnceLock<Arc<dyn Consumer>>,
}

impl SocketEndpoint {
    /// `None` for a service that has neither methods nor a hub.
    pub(in crate::http) fn new(
        runner: &Arc<Runner>,
        scope: &ContainerScope,
        default_timeout: Duration,
        settings: &SocketSettings,
        cookie: &Arc<Result<Option<TokenCookie>>>,
    ) -> Option<Arc<Self>> {
        let descriptor = runner.descriptor();
        let of_hub = scope.registry.ready::<Sockets>();
        let has_hub = of_hub.is_some();
        if descriptor.sockets.is_empty() && !has_hub {
            return None;
        }
        let methods = descriptor.sockets.iter().map(|info| {
            let limit = info.timeout.unwrap_or(default_timeout);
            (
                info.name,
                (
                    info,
                    runner.target(
                        (info.index, info.name),
                        EntrypointKind::Websocket,
                        None,
                        info.max_workers,
                        Some(limit),
                    ),
                ),
            )
        });
        Some(Arc::new(Self {
            methods: methods.collect(),
            runner: runner.clone(),
            settings: settings.clone(),
            cookie: cookie.clone(),
            sockets: of_hub.unwrap_or_else(|| Sockets::new(Duration::ZERO)),
            has_hub,
            consumer: OnceLock::new(),
        }))
    }

    /// Where sockets connect; nowhere, where no message could fire anything.
    pub(in crate::http) fn route(self: &Arc<Self>) -> Option<Route> {
        if self.methods.is_empty() {
            return None;
        }
        let descriptor = self.runner.descriptor();
        let (path, owner) = (descriptor.socket_path(), format!("the websockets of `{}`", descriptor.name));
        let endpoint = self.clone();
        Some(Route::new("GET", &path, owner, move |request| endpoint.clone().upgrade(request)))
    }

    pub(in crate::http) async fn start(&self, transport: &Arc<dyn Transport>) -> Result<()> {
        if self.has_hub {
            let (service, takes) = (self.runner.descriptor().name, !self.methods.is_empty());
            if let Some(consumer) = Relay::open(service, &self.sockets, transport, takes).await? {
                // It starts once.
                let _ = self.consumer.set(consumer);
            }
        }
        Ok(())
    }

    /// Takes no more sockets, reads no more messages, and closes each socket when its calls are answered.
    pub(in crate::http) async fn stop_taking(&self) {
        self.end();
        if let Some(consumer) = self.consumer.get() {
            consumer.cancel().await;
        }
    }

    /// Takes no more sockets, and closes those that there are.
    pub(in crate::http) fn end(&self) {
        self.sockets.stop();
    }

    pub(in crate::http) fn consumer_status(&self) -> Option<ConsumerStatus> {
        self.consumer.get().map(|consumer| consumer.status())
    }

    async fn upgrade(self: Arc<Self>, request: axum::extract::Request) -> Response {
        let (mut parts, _) = request.into_parts();
        let refuse = |fault: &Fault| problem::response(fault, "");
        if !self.settings.origins.may_connect(&parts) {
            tracing::warn!(service = self.runner.descriptor().name, "refused the websocket of another site's page");
            let text = "pages of this origin may not connect (http.websocket.origins)";
            let fault = problem::plain(StatusCode::FORBIDDEN, text);
            return refuse(&Fault { code: Some("FOREIGN_ORIGIN".into()), ..fault });
        }
        let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => upgrade,
            Err(rejection) => return refuse(&problem::plain(rejection.status(), rejection.body_text())),
        };
        if self.sockets.is_stopping() {
            return refuse(&Fault::stopping());
        }
        let cookie = self.cookie.as_ref().as_ref().ok().and_then(Option::as_ref);
        let headers = Head::read(&parts.headers, cookie.and_then(|cookie| cookie.token_of_socket(&parts))).headers;
        let limit = self.settings.max_message_bytes;
        let upgrade = upgrade.max_message_size(limit).max_frame_size(limit).read_buffer_size(READ_BUFFER);
        // A stop waits for it, although its task is axum's.
        let task = self.runner.tasks.token();
        upgrade.on_upgrade(move |socket| async move {
            let _task = task;
            if let Some(connected) = self.sockets.connect(Outbox::new(self.settings.max_pending_bytes)) {
                Connection { endpoint: self.clone(), headers, connected }.run(socket).await;
            }
        })
    }

    pub(super) fn settings(&self) -> &SocketSettings {
        &self.settings
    }

    pub(super) fn service(&self) -> &'static str {
        self.runner.descriptor().name
    }

    /// One message, from its bytes to its answer.
    pub(super) async fn answer(&self, socket: Socket, mut headers: Headers, message: &[u8]) -> Utf8Bytes {
        let frame::Received { correlation_id, request } = frame::read(message);
        let request = match request {
            Ok(request) => request,
            Err(fault) => {
                tracing::warn!(service = self.service(), socket = socket.id(), %fault, "a message that cannot be read");
                return frame::failure(&fault, None, &correlation_id);
            }
        };
        let Some((info, target)) = self.methods.get(&*request.method) else {
            let fault = Fault::nameko("MethodNotFound", excerpt(&request.method));
            tracing::warn!(service = self.service(), socket = socket.id(), %fault, "a message for no method");
            return frame::failure(&fault, None, &correlation_id);
        };
        if let Some(token) = request.auth_token {
            headers.set(TOKEN_HEADER, token);
        }
        let watch = target.arrived();
        log::arguments(info, &Format::Json, &request.body);
        let message = Message {
            properties: Properties { headers, ..Properties::default() },
            body: request.body,
            ..Message::default()
        };
        let context = self.runner.context(target, &watch, Arc::new(message), target.deadline(&watch));
        let Ended { outcome, watch, .. } =
            self.runner.run(target, watch, &context, None, |work| Box::pin(socket.scope(work))).await;
        watch.end(&context, &outcome);
        let result = match outcome {
            Outcome::Reply(body) => frame::result(&body, &correlation_id).ok_or_else(|| Box::new(no_answer())),
            outcome => Err(failure(outcome, no_answer)),
        };
        result.unwrap_or_else(|fault| frame::failure(&fault, Some(context.call_id()), &correlation_id))
    }
}

#[cold]
fn no_answer() -> Fault {
    Fault::internal("NoAnswer", "the method answers no messages")
}

/// Most sockets are idle most of the time: many small buffers are better than large ones.
const READ_BUFFER: usize = 8 * 1024;
