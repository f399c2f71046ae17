use kinoko::Valid;

struct NewOrder;

fn place(order: Valid<NewOrder>) {
    let _ = order;
}

fn main() {}
