//! What travels over a socket, in Nameko's shapes.

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, json};

use super::members::members;
use crate::{
    Error, ErrorKind, Result,
    protocol::{Fault, Value},
};

/// A message from a socket: `{"type": "rpc", "method": …, "data": {…}, "correlation_id": …}`. Its `type` is not looked at, as Nameko does not.
/// An `auth_token` beside them is kinoko's.
pub(super) struct Request {
    pub(super) method: String,
    /// The arguments, as the body of a call.
    pub(super) body: Bytes,
    /// The caller's token, where it is another than when the socket was opened: a page cannot send a header then.
    pub(super) auth_token: Option<String>,
}

/// A message with what its answer bears; JSON, `null` where it has none or cannot be read.
pub(super) struct Received {
    pub(super) correlation_id: String,
    pub(super) request: Result<Request, Fault>,
}

/// Reads a message.
pub(super) fn read(message: &[u8]) -> Received {
    let text = std::str::from_utf8(message).ok();
    let Some(members) = text.and_then(members) else { return Received::malformed("null", "Invalid JSON data") };
    let find = |name: &str| {
        let of_name = members.iter().rev().find(|(other, _)| other == name);
        of_name.map(|(_, value)| *value)
    };
    let correlation_id = find("correlation_id").unwrap_or("null");
    let Some(method) = find("method").and_then(|method| serde_json::from_str::<String>(method).ok()) else {
        return Received::malformed(correlation_id, "`method` must be there, a text");
    };
    let data = match find("data") {
        Some(data) if data.starts_with('{') => data,
        // What Python takes for nothing.
        None | Some("null" | "false" | "0" | "\"\"" | "[]") => "{}",
        Some(_) => {
            let fault = Fault::nameko("IncorrectSignature", "`data` is no object of arguments by name");
            return Received { correlation_id: correlation_id.to_owned(), request: Err(fault) };
        }
    };
    let auth_token = match find("auth_token").map(serde_json::from_str::<Option<String>>) {
        None => None,
        Some(Ok(token)) => token,
        Some(Err(_)) => return Received::malformed(correlation_id, "`auth_token` is no text"),
    };
    let body = [r#"{"args":[],"kwargs":"#, data, "}"].concat().into();
    Received { correlation_id: correlation_id.to_owned(), request: Ok(Request { method, body, auth_token }) }
}

impl Received {
    fn malformed(correlation_id: &str, text: &str) -> Self {
        Self { correlation_id: correlation_id.to_owned(), request: Err(Fault::nameko("MalformedRequest", text)) }
    }
}

/// The answer of a call whose reply is this body.
pub(super) fn result(reply: &[u8], correlation_id: &str) -> Option<Utf8Bytes> {
    let result = reply.strip_prefix(br#"{"result":"#)?.strip_suffix(br#","error":null}"#)?;
    let result = std::str::from_utf8(result).ok()?;
    let text =
        [r#"{"type":"result","success":true,"data":"#, result, r#","correlation_id":"#, correlation_id, "}"].concat();
    Some(text.into())
}

/// The answer of a call that failed. What is internal says no more than under which id to look for it in the log.
pub(super) fn failure(fault: &Fault, call_id: Option<&str>, correlation_id: &str) -> Utf8Bytes {
    let mut error = Map::new();
    if fault.internal {
        error.insert("exc_type".into(), "InternalError".into());
        error.insert("exc_path".into(), "kinoko.InternalError".into());
        error.insert("exc_args".into(), json!([HIDDEN]));
        error.insert("value".into(), HIDDEN.into());
    } else {
        error.insert("exc_type".into(), (*fault.exc_type).into());
        error.insert("exc_path".into(), (*fault.exc_path).into());
        error.insert("exc_args".into(), Value::Array(fault.exc_args.clone()));
        error.insert("value".into(), fault.value.clone().into());
        if let Some(data) = &fault.data {
            error.insert("data".into(), Value::Object(data.clone()));
        }
    }
    if let Some(code) = &fault.code {
        error.insert("code".into(), (**code).into());
    }
    if let Some(retryable) = fault.retryable {
        error.insert("retryable".into(), retryable.into());
    }
    if let Some(call_id) = call_id {
        error.insert("call_id".into(), call_id.into());
    }
    let error = Value::Object(error).to_string();
    [r#"{"type":"result","success":false,"error":"#, &error, r#","correlation_id":"#, correlation_id, "}"]
        .concat()
        .into()
}

const HIDDEN: &str = "the log has more, under the call id";

/// An event.
///
/// # Errors
///
/// [`ErrorKind::Codec`] for data that has no form in JSON.
pub(super) fn event<T: Serialize + ?Sized>(event: &str, data: &T) -> Result<Utf8Bytes> {
    #[derive(Serialize)]
    struct Event<'a, T: ?Sized> {
        r#type: &'static str,
        event: &'a str,
        data: &'a T,
    }
    let text = serde_json::to_string(&Event { r#type: "event", event, data })
        .map_err(|error| Error::new(ErrorKind::Codec, format!("the data of the event `{event}`: {error}")))?;
    Ok(text.into())
}

/// The event that each socket begins with.
pub(super) fn connected(socket_id: &str) -> Utf8Bytes {
    json!({"type": "event", "event": "connected", "data": {"socket_id": socket_id}}).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(message: &str) -> (String, Result<(String, Value), String>) {
        let Received { correlation_id, request } = read(message.as_bytes());
        let request = request.map(|request| (request.method, serde_json::from_slice(&request.body).unwrap()));
        (correlation_id, request.map_err(|fault| fault.exc_path.into_owned()))
    }

    #[test]
    fn requests_are_read_as_nameko_reads_them() {
        let called = |kwargs: Value| Ok(("add".to_owned(), json!({"args": [], "kwargs": kwargs})));
        let read = body(r#"{"type":"rpc","method":"add","data":{"a":1},"correlation_id":"c-1"}"#);
        assert_eq!(read, (r#""c-1""#.to_owned(), called(json!({"a": 1}))));
        for nothing in ["null", "{}", "[]", "0", "false", "\"\""] {
            let read = body(&format!(r#"{{"method":"add","data":{nothing},"correlation_id":7}}"#));
            assert_eq!(read, ("7".to_owned(), called(json!({}))));
        }
        assert_eq!(body(r#"{"method":"add"}"#), ("null".to_owned(), called(json!({}))));
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_of_namekos() {
        let malformed = || Err("nameko.exceptions.MalformedRequest".to_owned());
        assert_eq!(body("hello"), ("null".to_owned(), malformed()));
        assert_eq!(body("[]"), ("null".to_owned(), malformed()));
        assert_eq!(body(r#"{"correlation_id":[1]}"#), ("[1]".to_owned(), malformed()));
        assert_eq!(body(r#"{"method":1}"#), ("null".to_owned(), malformed()));
        let signature = Err("nameko.exceptions.IncorrectSignature".to_owned());
        assert_eq!(body(r#"{"method":"add","data":[1]}"#), ("null".to_owned(), signature));
        assert!(super::read(b"\xff\xfe").request.is_err());
    }

    #[test]
    fn answers_and_events_have_namekos_shapes() {
        let answer = result(br#"{"result":{"n":1},"error":null}"#, "\"c\"").unwrap();
        assert_eq!(&*answer, r#"{"type":"result","success":true,"data":{"n":1},"correlation_id":"c"}"#);
        let answer = failure(&Fault::nameko("MethodNotFound", "sub"), None, "null");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            answer,
            json!({"type": "result", "success": false, "correlation_id": null, "error": {
                "exc_type": "MethodNotFound", "exc_path": "nameko.exceptions.MethodNotFound", "exc_args": ["sub"],
                "value": "sub",
            }})
        );
        assert_eq!(&*event("placed", &[1]).unwrap(), r#"{"type":"event","event":"placed","data":[1]}"#);
        let connected: Value = serde_json::from_str(&connected("s-1")).unwrap();
        assert_eq!(connected, json!({"type": "event", "event": "connected", "data": {"socket_id": "s-1"}}));
    }

    #[test]
    fn what_is_internal_is_not_told() {
        let fault = Fault { code: Some("TIMEOUT".into()), ..Fault::internal("Timeout", "secret") };
        let answer = failure(&fault, Some("a.b.c"), "null");
        assert!(!answer.contains("secret") && answer.contains("a.b.c") && answer.contains("TIMEOUT"), "{answer}");
    }
}
