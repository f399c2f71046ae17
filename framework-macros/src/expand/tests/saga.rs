//! What `#[saga]` says of blocks that do not fit together.

use proc_macro2::TokenStream;
use quote::quote;

use super::super::saga;
use super::errors;

fn told(block: TokenStream) -> Vec<String> {
    errors(&saga(quote!(name = "place_order"), quote!(impl PlaceOrder { #block })))
}

#[test]
fn a_right_block_gives_no_error_and_loses_our_attributes() {
    let code = saga(
        quote!(name = "place_order", version = 2, timeout = "10m"),
        quote! {
            impl PlaceOrder {
                #[step(compensate = release)]
                async fn reserve(&self, order: &Order) -> Result<Reservation, StockError> {}
                async fn release(&self, reservation: Reservation) -> Result<(), Retry> {}
                #[step(compensate = refund, retry(max = 3), timeout = "5s", when = needs_payment)]
                async fn charge(&self, order: &Order, reservation: &Reservation) -> Result<Payment, PaymentError> {}
                fn needs_payment(&self, order: &Order) -> bool {}
                async fn refund(&self, payment: Outcome<Payment>, reservation: &Reservation) {}
                #[step]
                fn confirm(&self, payment: Option<&Payment>) -> kinoko::Result<Receipt> {}
                #[wait(signal = "sent", timeout = "3d")]
                fn sent(&self, parcel: Parcel, receipt: &Receipt) {}
            }
        },
    );
    assert_eq!(errors(&code), [""; 0]);
    let text = code.to_string();
    assert!(!text.contains("# [step") && !text.contains("# [wait"), "{text}");
    assert!(text.contains("impl :: kinoko :: __private :: saga :: Definition for PlaceOrder"), "{text}");
}

#[test]
fn a_step_takes_what_is_there_once() {
    let cases = [
        (
            quote!(
                #[step]
                fn b(&self, payment: &Payment) {}
            ),
            "no earlier step returns a `Payment`, and it is not the saga's input: there is `Order` (the input), `Reservation` (of `a`)",
        ),
        (
            quote!(
                #[step]
                fn b(&self, receipt: &Receipt) -> Receipt {}
            ),
            "`b` returns the `Receipt`, and that comes no earlier: put it before this one",
        ),
        (
            quote!(
                #[step]
                fn b(&self, order: Order) {}
            ),
            "what earlier steps returned is borrowed: write `&Order`",
        ),
        (
            quote!(
                #[step]
                fn b(&self) -> Reservation {}
                #[step]
                fn c(&self, reservation: &Reservation) {}
            ),
            "which `Reservation`? `a` returns one and `b` returns one: give them types of their own, so that a step can say which it takes",
        ),
        (
            quote!(
                #[step]
                fn b(&self) -> Order {}
                #[step]
                fn c(&self, order: &Order) {}
            ),
            "which `Order`? the saga's input is one and `b` returns one: give them types of their own, so that a step can say which it takes",
        ),
        (
            quote!(
                #[step(when = w)]
                fn b(&self) -> Payment {}
                fn w(&self) -> bool {}
                #[step]
                fn c(&self, payment: &Payment) {}
            ),
            "`b` may be skipped, since it has a `when`: write `Option<&Payment>`",
        ),
        (
            quote!(
                #[step]
                fn b(&self, reservation: Option<&Reservation>) {}
            ),
            "`a` is never skipped: write `&Reservation`",
        ),
    ];
    for (block, text) in cases {
        let told = told(quote!(#[step] fn a(&self, order: &Order) -> Reservation {} #block));
        assert_eq!(told, [text]);
    }
}

#[test]
fn a_compensation_takes_what_its_step_returned() {
    let cases = [
        (
            quote!(relaese),
            quote!(
                fn release(&self, reservation: Reservation) {}
            ),
            "this block has no method `relaese`: did you mean `release`? write `async fn relaese(&self, …: Reservation)`, or `compensate = none`",
        ),
        (
            quote!(release),
            quote!(
                fn release(&self, reservation: Payment) {}
            ),
            "`reserve` returns `Reservation`: take that, by value, or `Outcome<Reservation>`",
        ),
        (
            quote!(release),
            quote!(
                fn release(&self, reservation: Outcome<Payment>) {}
            ),
            "`reserve` returns `Reservation`: take that, by value, or `Outcome<Reservation>`",
        ),
        (
            quote!(release),
            quote!(
                fn release(&self, order: &Order) {}
            ),
            "`release` takes back `reserve`, and takes nothing of what that returned: add a parameter `Reservation`, or `Outcome<Reservation>`",
        ),
    ];
    for (name, block, text) in cases {
        let told = told(quote!(#[step(compensate = #name)] fn reserve(&self, order: &Order) -> Reservation {} #block));
        assert_eq!(told, [text]);
    }
}

#[test]
fn nothing_is_taken_back_after_the_pivot() {
    let told = told(quote! {
        #[step] fn first(&self) {}
        #[step(compensate = undo)] fn second(&self) {}
        fn undo(&self) {}
    });
    let text = "there is no going back after `first`, which has no `compensate`: leave this one out, or write `compensate = none` on \
                `first` if there is nothing to take back of it";
    assert_eq!(told, [text]);
}

#[test]
fn options_that_say_nothing_are_told() {
    let cases = [
        (
            quote!(
                #[step(compensation = undo)]
                fn a(&self) {}
            ),
            "unknown key `compensation`: did you mean `compensate`? the keys of `step` are: `compensate`, `retry`, `timeout`, `when`",
        ),
        (
            quote!(
                #[step(retry = 3)]
                fn a(&self) {}
            ),
            "`retry` takes a list: `retry(max = 5, backoff = \"1s..30s\")`",
        ),
        (
            quote!(
                #[step(when = "never")]
                fn a(&self) {}
            ),
            "`when` takes a path: `when = some::path`",
        ),
        (
            quote!(
                #[wait]
                fn a(&self, _: ()) {}
            ),
            "waits for what? write `#[wait(signal = \"approve\", timeout = \"24h\")]`",
        ),
        (
            quote!(
                #[wait(signal = "go")]
                fn a(&self, _: ()) {}
            ),
            "nothing waits for ever: write how long it does, `timeout = \"24h\"`",
        ),
        (
            quote!(
                #[wait(signal = "go", timeout = "1h")]
                fn a(&self) {}
            ),
            "a step that waits takes what its signal carries as its first parameter: `_: ()` where it carries nothing",
        ),
        (
            quote!(
                #[step]
                fn a(self) {}
            ),
            "a saga's methods take `&self`: all sagas of a process share the struct",
        ),
        (
            quote!(
                fn helper(&self) {}
            ),
            "a saga without steps does nothing: mark its methods `#[step]`, in the order in which they run",
        ),
        (
            quote!(
                #[step]
                fn a(&self, order: &Order, other: &Other) {}
            ),
            "the first step takes the saga's input and nothing else, since nothing was returned before it: put both into one type",
        ),
    ];
    for (block, text) in cases {
        assert_eq!(told(block), [text]);
    }
}
