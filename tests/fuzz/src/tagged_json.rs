use kinoko::codec::Format;

use crate::TOO_DEEP;

/// JSON as Python writes it, with kombu's tags: read into types and into values. Once its tags are resolved, it stays as it is.
pub fn tagged_json(data: &[u8]) {
    let json = Format::Json;
    let _ = json.decode::<String>(data);
    let _ = json.decode::<Vec<u8>>(data);
    let _ = json.decode::<serde_bytes::ByteBuf>(data);
    let _ = json.decode::<Option<f64>>(data);
    let _ = json.decode::<Vec<i128>>(data);
    let _ = json.decode::<uuid::Uuid>(data);
    let _ = json.decode::<(char, std::net::IpAddr)>(data);
    let Ok(first) = json.transcode(data, &Format::MessagePack) else { return };
    let there_and_back = |pack: &[u8]| {
        let text = Format::MessagePack.transcode(pack, &json).expect("a value has a form in JSON");
        match json.transcode(&text, &Format::MessagePack) {
            Ok(pack) => Some(pack),
            Err(error) => {
                assert!(error.chain().contains(TOO_DEEP), "{}", error.chain());
                None
            }
        }
    };
    // Of keys that come twice one is left, and what is left may be a tag.
    let Some(second) = there_and_back(&first) else { return };
    let Some(third) = there_and_back(&second) else { return };
    assert_eq!(second, third);
}
