//! What comes out, as far as it can be told from tokens alone. Whether it compiles is for the fixtures in `tests/ui`.

mod saga;

use proc_macro2::TokenStream;
use quote::quote;

use super::{contract, dependencies, event, event_set, main, service, service_error};

/// The texts of the errors among the code, which must be items that parse.
fn errors(code: &TokenStream) -> Vec<String> {
    let file: syn::File = syn::parse2(code.clone()).expect("generated code is items");
    let macros = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) if item.mac.path.segments.last()?.ident == "compile_error" => Some(&item.mac),
        _ => None,
    });
    macros.map(|mac| mac.parse_body::<syn::LitStr>().expect("a text").value()).collect()
}

fn text(code: &TokenStream) -> String {
    code.to_string()
}

#[test]
fn a_right_block_gives_no_error_and_loses_our_attributes() {
    let code = service(
        quote!(name = "orders"),
        quote! {
            impl Orders {
                #[rpc(timeout = "5s")]
                #[inline]
                async fn place(&self, #[inject] cx: Cx, #[default(3)] count: u32) -> u32 { count }
            }
        },
    );
    assert_eq!(errors(&code), [""; 0]);
    let text = text(&code);
    assert!(!text.contains("# [rpc") && !text.contains("# [inject") && !text.contains("# [default"), "{text}");
    assert!(text.contains("# [inline]"));
    assert!(text.contains("pub struct OrdersClient"));
}

#[test]
fn each_mistake_is_an_error_and_the_client_has_what_is_right() {
    let code = service(
        quote!(nmae = "orders"),
        quote! {
            impl Orders {
                #[rpc] fn place(&mut self) {}
                #[rpc(timeout = "5")] fn late(&self) {}
                #[rpc] fn count(&self, limit: u32) -> u32 { limit }
            }
        },
    );
    let errors = errors(&code);
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].starts_with("unknown key `nmae`: did you mean `name`?"));
    let text = text(&code);
    assert!(text.contains("pub fn count") && !text.contains("pub fn late"));
    assert!(!text.contains("inventory"), "a broken service is not registered");
}

#[test]
fn bodies_and_other_items_pass_through_unread() {
    let code = service(
        quote!(name = "orders"),
        quote! {
            impl Orders {
                const LIMIT: usize = { 3 };
                some::items! { a b c }
                #[rpc]
                fn place(&self) { @ no rust at all ? }
                pub(crate) const fn helper() {}
                unsafe extern "C" fn foreign() {}
            }
        },
    );
    let text = text(&code);
    assert!(text.contains("@ no rust at all ?"));
    assert!(text.contains("some :: items ! { a b c }"));
    assert!(text.contains("const LIMIT : usize = { 3 } ;"));
    assert!(text.contains("pub (crate) const fn helper () { }"));
    assert!(text.contains(r#"unsafe extern "C" fn foreign () { }"#));
}

#[test]
fn the_crate_may_have_another_name() {
    let service = service(
        quote!(name = "a", crate = crate::platform::rpc),
        quote!(
            impl A {
                #[crate::platform::rpc::rpc]
                fn a(&self) {}
                #[crate::platform::rpc::event_handler(Placed, ordered_by = "id", retry(in_place, max = 3))]
                fn b(&self, event: Placed) {}
                #[event_handler("orders", "placed", batch = 3)]
                fn many(&self, events: Vec<Placed>) {}
                #[consume("letters", exchange = "post", idempotent(store = "process"))]
                #[timer(cron = "* * * * *")]
                fn c(&self) {}
            }
        ),
    );
    let contract = contract(
        quote!(name = "a", crate = crate::platform::rpc),
        quote!(
            trait A {
                async fn a(&self);
            }
        ),
    );
    let dependencies = dependencies(quote!(
        #[dependency(crate = crate::platform::rpc)]
        struct A {
            field: Config<u8>,
        }
    ));
    let error = service_error(quote!(
        #[fault(crate = crate::platform::rpc)]
        enum A {
            B(u8),
        }
    ));
    let main = main(
        quote!(crate = crate::platform::rpc),
        quote!(
            async fn main() {}
        ),
    );
    let event = event(
        quote!(source = "a", crate = crate::platform::rpc),
        quote!(
            struct A {
                id: u64,
            }
        ),
    );
    let event_set = event_set(quote!(
        #[event_set(crate = crate::platform::rpc)]
        enum A {
            B(C),
        }
    ));
    for code in [service, contract, dependencies, error, main, event, event_set] {
        assert_eq!(errors(&code), [""; 0]);
        let text = text(&code);
        assert!(text.contains("crate :: platform :: rpc :: __private"));
        assert!(!text.contains(":: kinoko"), "{text}");
    }
}

#[test]
fn a_contract_keeps_its_trait_and_promises_send() {
    let code = contract(
        quote!(name = "inventory"),
        quote! {
            pub trait Inventory: Debug {
                async fn size(&self) -> Result<u32, Error>;
            }
        },
    );
    assert_eq!(errors(&code), [""; 0]);
    let text = text(&code);
    assert!(text.contains(
        "fn size (& self) -> impl :: core :: future :: Future < Output = Result < u32 , Error > > + :: core :: marker :: Send"
    ));
    assert!(text.contains("pub trait Inventory : Debug + :: core :: marker :: Send"));
}

#[test]
fn each_attribute_is_an_entrypoint_and_only_rpc_makes_a_client() {
    let code = service(
        quote!(name = "orders"),
        quote! {
            impl Orders {
                #[event_handler(Placed)]
                #[timer(every = "1s")]
                fn first(&self) {}
                #[event_handler(Placed, kid = "singleton")]
                #[consume("letters")]
                fn second(&self) {}
            }
        },
    );
    assert!(errors(&code)[0].starts_with("unknown key `kid`: did you mean `kind`?"));
    let code = service(
        quote!(name = "orders"),
        quote! {
            impl Orders {
                #[event_handler(Placed)]
                #[timer(every = "1s")]
                fn first(&self) {}
                #[consume("letters")]
                fn second(&self) {}
            }
        },
    );
    assert_eq!(errors(&code), [""; 0]);
    let text = text(&code);
    for index in 0..3 {
        assert_eq!(text.matches(&format!("index : {index}usize")).count(), 1, "{text}");
        assert_eq!(text.matches(&format!("{index}usize => ")).count(), 1, "{text}");
    }
    assert!(!text.contains("OrdersClient"), "nobody calls it");
    assert!(!text.contains("# [event_handler") && !text.contains("# [timer") && !text.contains("# [consume"));
}

#[test]
fn what_cannot_be_read_stays_as_it_is() {
    let code = service(
        quote!(name = "orders"),
        quote!(
            struct Orders {
                field: u8,
            }
        ),
    );
    assert_eq!(errors(&code), ["`#[service]` goes on an `impl` block"]);
    assert!(text(&code).contains("struct Orders"));
}
