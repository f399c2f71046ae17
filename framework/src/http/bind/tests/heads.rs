//! Path, query, headers, cookies.

use super::*;

#[derive(Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Order {
    Name,
    PriceDesc,
}

#[derive(Debug, PartialEq, Deserialize, schemars::JsonSchema)]
struct Id(u64);

#[derive(Debug, PartialEq, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Filter {
    min_price: Option<u32>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default = "ten")]
    limit: u8,
}

fn ten() -> u8 {
    10
}

route!(Scalars {
    id: Id = ParamPlace::Path, true;
    limit: u8 = ParamPlace::Query, true;
    ratio: f64 = ParamPlace::Query, false;
    exact: bool = ParamPlace::Query, false;
    letter: char = ParamPlace::Query, false;
    order: Order = ParamPlace::Query, false;
    tag: Vec<String> = ParamPlace::Query, false;
    pair: (i8, i8) = ParamPlace::Query, false;
    name: Option<String> = ParamPlace::Query, false;
    host: std::net::IpAddr = ParamPlace::Query, false;
    any: Value = ParamPlace::Query, false;
});

fn scalars(text: &str) -> Sent {
    query(text).path("id", "7")
}

#[test]
fn a_text_becomes_what_its_parameter_is() {
    let text = "limit=5&ratio=-2.5e3&exact=true&letter=%C3%BC&order=price-desc&tag=a&tag=b+c&pair=1&pair=-2&name=&host=::1&any=5";
    scalars(text)
        .bound(Scalars::route(), |args: Scalars| {
            assert_eq!((args.id, args.limit, args.ratio), (Some(Id(7)), Some(5), Some(-2500.0)));
            assert_eq!((args.exact, args.letter, args.order), (Some(true), Some('ü'), Some(Order::PriceDesc)));
            assert_eq!(args.tag, Some(vec!["a".to_owned(), "b c".to_owned()]));
            assert_eq!((args.pair, args.name), (Some((1, -2)), Some(Some(String::new()))));
            assert_eq!((args.host, args.any), (Some([0, 0, 0, 0, 0, 0, 0, 1].into()), Some(json!("5"))));
        })
        .unwrap();
    scalars("limit=0&tag=one")
        .bound(Scalars::route(), |args: Scalars| {
            assert_eq!(args.tag, Some(vec!["one".to_owned()]));
            assert!(args.ratio.is_none() && args.name.is_none() && args.any.is_none());
        })
        .unwrap();
}

#[test]
fn what_is_no_such_value_is_refused_with_its_rule() {
    for (text, wrong) in [
        ("", "query limit required"),
        ("limit=", r#"query limit type """#),
        ("limit=256", r#"query limit type "256""#),
        ("limit=%2B5", r#"query limit type "+5""#),
        ("limit=+5", r#"query limit type " 5""#),
        ("limit=5.0", r#"query limit type "5.0""#),
        ("limit=1&limit=2", r#"query limit maxItems ["1","2"]"#),
        ("limit=%FF", r#"query limit type "%FF""#),
        ("limit=1&ratio=NaN", r#"query ratio type "NaN""#),
        ("limit=1&ratio=inf", r#"query ratio type "inf""#),
        ("limit=1&ratio=1e999", r#"query ratio type "1e999""#),
        ("limit=1&exact=1", r#"query exact type "1""#),
        ("limit=1&exact=True", r#"query exact type "True""#),
        ("limit=1&letter=ab", r#"query letter type "ab""#),
        ("limit=1&order=size", r#"query order enum "size""#),
        ("limit=1&pair=1", r#"query pair type "1""#),
        ("limit=1&pair=1&pair=2&pair=3", r#"query pair maxItems ["1","2","3"]"#),
        ("limit=1&host=here", r#"query host type "here""#),
    ] {
        assert_eq!(scalars(text).wrong::<Scalars>(Scalars::route()), [wrong], "{text}");
    }
    // Each of them at once.
    let wrong = query("exact=x&ratio=y").path("id", "-1").wrong::<Scalars>(Scalars::route());
    let all = [r#"path id type "-1""#, "query limit required", r#"query ratio type "y""#, r#"query exact type "x""#];
    assert_eq!(wrong, all);
}

route!(Filtered {
    filter: Filter = ParamPlace::Query, true;
    page: Option<u32> = ParamPlace::Query, false;
} deny_unknown_query: true);

route!(MaybeFiltered { filter: Option<Filter> = ParamPlace::Query, false; });

#[test]
fn a_struct_takes_its_fields_from_the_query() {
    query("minPrice=5&tags=a&tags=b&page=2")
        .bound(Filtered::route(), |args: Filtered| {
            let tags = vec!["a".to_owned(), "b".to_owned()];
            assert_eq!(args.filter, Some(Filter { min_price: Some(5), tags, limit: 10 }));
            assert_eq!(args.page, Some(Some(2)));
        })
        .unwrap();
    query("").bound(Filtered::route(), |args: Filtered| assert_eq!(args.filter.unwrap().limit, 10)).unwrap();
    for (text, is_some) in [("", false), ("other=1", false), ("limit=3", true)] {
        let found = query(text).bound(MaybeFiltered::route(), |args: MaybeFiltered| args.filter.flatten().is_some());
        assert_eq!(found, Ok(is_some), "{text}");
    }
}

#[test]
fn each_field_of_a_struct_that_does_not_fit_is_told() {
    let wrong = query("minPrice=x&limit=300&page=-").wrong::<Filtered>(Filtered::route());
    assert_eq!(wrong, [r#"query limit maximum 300"#, r#"query minPrice type "x""#, r#"query page type "-""#]);
}

#[test]
fn unknown_keys_are_told_where_they_are_denied() {
    let fault = query("minPrise=5&pgae=2").bound::<Filtered, _>(Filtered::route(), drop).unwrap_err();
    let errors = &fault.data.unwrap()["errors"];
    assert_eq!(errors[0]["message"], "is unknown: did you mean `minPrice`?");
    assert_eq!(errors[1]["message"], "is unknown: did you mean `page`?");
    assert_eq!(query("unknown=5").status::<MaybeFiltered>(MaybeFiltered::route()), 200);
}

#[test]
fn unknown_keys_are_told_beside_fields_that_only_the_schema_knows() {
    let fault = query("q=1&limt=20").bound::<Flat, _>(Flat::route(), drop).unwrap_err();
    assert_eq!(fault.data.unwrap()["errors"][0]["message"], "is unknown: did you mean `limit`?");
}

#[derive(Debug, PartialEq, Deserialize, schemars::JsonSchema)]
struct Paging {
    #[serde(default)]
    limit: u32,
    after: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize, schemars::JsonSchema)]
struct Search {
    q: String,
    #[serde(flatten)]
    paging: Paging,
}

route!(Flat { search: Search = ParamPlace::Query, true; } deny_unknown_query: true);
route!(All { all: HashMap<String, i64> = ParamPlace::Query, true; } deny_unknown_query: true);

#[test]
fn flattened_structs_and_maps_work() {
    query("q=1&limit=20&after=7")
        .bound(Flat::route(), |args: Flat| {
            let paging = Paging { limit: 20, after: Some("7".into()) };
            assert_eq!(args.search, Some(Search { q: "1".into(), paging }));
        })
        .unwrap();
    assert_eq!(query("q=1&limt=20").wrong::<Flat>(Flat::route()), [r#"query limt additionalProperties "20""#]);
    let all = query("a=1&b=-2").bound(All::route(), |args: All| args.all.unwrap());
    assert_eq!(all.unwrap(), HashMap::from([("a".to_owned(), 1), ("b".to_owned(), -2)]));
}

route!(Heads {
    tags: Vec<u32> = ParamPlace::Header, false;
    tenant: String = ParamPlace::Header, true;
    session: u32 = ParamPlace::Cookie, true;
    ids: Vec<String> = ParamPlace::Cookie, false;
    api_key: u32 = ParamPlace::Query, false;
});

#[test]
fn headers_and_cookies() {
    let sent = query("").header("tags", "1, 2").header("tags", "3").header("tenant", "acme, inc");
    sent.header("cookie", "ids=a; session=7; ids=b")
        .bound(Heads::route(), |args: Heads| {
            assert_eq!((args.tags, args.session), (Some(vec![1, 2, 3]), Some(7)));
            assert_eq!(args.tenant.as_deref(), Some("acme, inc"));
            assert_eq!(args.ids, Some(vec!["a".to_owned(), "b".to_owned()]));
        })
        .unwrap();
}

#[test]
fn secrets_are_not_repeated() {
    let sent = query("api_key=s3cret").header("tenant", [0xff]).header("cookie", "session=s3cret").header("tags", "x");
    let fault = sent.bound::<Heads, _>(Heads::route(), drop).unwrap_err();
    assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
    assert_eq!(fault.data.unwrap()["errors"].as_array().unwrap().len(), 4);
}

#[derive(Debug, Deserialize, garde::Validate, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Window {
    #[garde(range(max = 100))]
    #[allow(dead_code)]
    page_size: u32,
    #[garde(custom(not_blank))]
    #[allow(dead_code)]
    start_after: Option<String>,
}

fn not_blank(text: &Option<String>, _: &()) -> garde::Result {
    if text.as_deref() == Some("") { Err(garde::Error::new("must not be blank")) } else { Ok(()) }
}

route!(Windowed { window: Option<Valid<Window>> = ParamPlace::Query, false; });

#[test]
fn rules_hold_for_what_comes_from_the_query() {
    let wrong = query("pageSize=101&startAfter=").wrong::<Windowed>(Windowed::route());
    assert_eq!(wrong, ["query pageSize maximum 101", r#"query startAfter valid """#]);
    assert_eq!(query("startAfter=x").wrong::<Windowed>(Windowed::route()), ["query pageSize required"]);
    assert_eq!(query("").status::<Windowed>(Windowed::route()), 200);
}
