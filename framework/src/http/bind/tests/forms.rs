//! Forms and uploads.

use super::*;

#[derive(Debug, PartialEq, Deserialize, garde::Validate, schemars::JsonSchema)]
struct Login {
    #[garde(length(min = 3))]
    user: String,
    #[garde(length(min = 8))]
    password: String,
    #[garde(skip)]
    #[serde(default)]
    remember: bool,
}

route!(Whole { login: Valid<Login> = ParamPlace::Body(FORM), true; });
route!(Fields {
    name: String = ParamPlace::Field(FORM), true;
    age: u8 = ParamPlace::Field(FORM), true;
    tags: Vec<String> = ParamPlace::Field(FORM), false;
});

const FORM_TYPE: &str = "application/x-www-form-urlencoded";

#[test]
fn a_form_is_a_struct_or_several_parameters() {
    body(FORM_TYPE, "user=Ada+L&password=12345678&remember=true")
        .bound(Whole::route(), |args: Whole| assert_eq!(args.login.unwrap().user, "Ada L"))
        .unwrap();
    body(FORM_TYPE, "name=%C3%BC&age=7&tags=a&tags=b")
        .bound(Fields::route(), |args: Fields| {
            assert_eq!((args.name.as_deref(), args.age), (Some("ü"), Some(7)));
            assert_eq!(args.tags.unwrap().len(), 2);
        })
        .unwrap();
    let wrong = body(FORM_TYPE, "user=A&password=123&remember=x").wrong::<Whole>(Whole::route());
    let all = ["body /password minLength", r#"body /remember type "x""#, r#"body /user minLength "A""#];
    assert_eq!(wrong, all);
    assert_eq!(
        body(FORM_TYPE, "age=x").wrong::<Fields>(Fields::route()),
        ["body /name required", r#"body /age type "x""#]
    );
    assert_eq!(Sent::default().wrong::<Fields>(Fields::route()), ["body /name required", "body /age required"]);
    assert_eq!(json_body("{}").status::<Whole>(Whole::route()), 415);
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Upload {
    title: String,
    picture: File,
    #[serde(default)]
    more: Vec<File>,
    thumbnail: Option<File>,
}

route!(Uploads { upload: Upload = ParamPlace::Body(MULTIPART), true; });
route!(Parts {
    count: u8 = ParamPlace::Field(MULTIPART), true;
    file: File = ParamPlace::Field(MULTIPART), true;
    other: Option<File> = ParamPlace::Field(MULTIPART), false;
});

fn multipart(parts: &[(&str, &str)]) -> Sent {
    let mut text = String::new();
    for (disposition, content) in parts {
        text.push_str(&format!("--edge\r\ncontent-disposition: form-data; {disposition}\r\n\r\n{content}\r\n"));
    }
    body("multipart/form-data; boundary=edge", format!("{text}--edge--\r\n"))
}

#[test]
fn files_and_texts_come_as_parts() {
    let sent = multipart(&[
        (r#"name="title""#, "Tea"),
        ("name=\"picture\"; filename=\"../a.png\"\r\ncontent-type: image/png", "PNG"),
        (r#"name="more"; filename="1""#, "one"),
        (r#"name="more"; filename="2""#, "two"),
        (r#"name="thumbnail"; filename="""#, ""),
    ]);
    sent.bound(Uploads::route(), |args: Uploads| {
        let Upload { title, picture, more, thumbnail } = args.upload.unwrap();
        assert_eq!((&*title, picture.name(), picture.content_type()), ("Tea", Some("../a.png"), Some("image/png")));
        assert_eq!((&picture.bytes()[..], more.len(), thumbnail), (&b"PNG"[..], 2, None));
    })
    .unwrap();
    multipart(&[(r#"name="count""#, "3"), (r#"name="file"; filename="x""#, "abc")])
        .bound(Parts::route(), |args: Parts| {
            assert_eq!((args.count, args.file.unwrap().into_bytes()), (Some(3), "abc".into()));
            assert!(args.other.is_none());
        })
        .unwrap();
}

#[test]
fn a_file_needs_no_name_and_a_name_is_utf8() {
    multipart(&[(r#"name="count""#, "3"), (r#"name="file""#, "abc")])
        .bound(Parts::route(), |args: Parts| {
            let file = args.file.unwrap();
            assert_eq!((file.name(), &file.bytes()[..]), (None, &b"abc"[..]));
        })
        .unwrap();
    let named = |name: &[u8]| {
        let text = b"--edge\r\ncontent-disposition: form-data; name=\"count\"\r\n\r\n3\r\n\
                     --edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"";
        body("multipart/form-data; boundary=edge", [text, name, b"\"\r\n\r\nabc\r\n--edge--\r\n"].concat())
    };
    let name =
        named("ü.txt".as_bytes()).bound(Parts::route(), |args: Parts| args.file.unwrap().name().map(str::to_owned));
    assert_eq!(name, Ok(Some("ü.txt".to_owned())));
    // In Latin-1.
    let fault = named(b"\xfc.txt").bound::<Parts, _>(Parts::route(), drop).unwrap_err();
    assert_eq!((fault.http, fault.code.as_deref()), (Some(400), Some("MALFORMED_BODY")));
    assert!(fault.value.contains("the name of a part, or of its file, is not UTF-8"), "{fault}");
}

#[test]
fn parts_that_do_not_fit_are_told() {
    let sent = multipart(&[(r#"name="count"; filename="x""#, "3"), (r#"name="file""#, "abc")]);
    assert_eq!(sent.wrong::<Parts>(Parts::route()), ["body /count type"]);
    let wrong = multipart(&[(r#"name="title""#, "Tea")]).wrong::<Uploads>(Uploads::route());
    assert_eq!(wrong, ["body /picture required"]);
    assert_eq!(Sent::default().wrong::<Uploads>(Uploads::route()), ["body /title required", "body /picture required"]);
    for (content_type, text, status) in [
        ("multipart/form-data", "", 400),
        ("multipart/form-data; boundary=edge", "--edge\r\ncontent-disp", 400),
        ("application/json", "{}", 415),
    ] {
        assert_eq!(body(content_type, text).status::<Uploads>(Uploads::route()), status, "{content_type} {text}");
    }
}
