mod not_async {
    #[kinoko::main]
    fn main() {}
}

mod parameters {
    #[kinoko::main]
    async fn main(args: Vec<String>) {}
}

mod generic {
    #[kinoko::main]
    async fn main<T>() {}
}

mod options {
    #[kinoko::main(threads = 4)]
    async fn main() {}
}

mod count {
    #[kinoko::main(worker_threads = 0)]
    async fn main() {}
}

mod structs {
    #[kinoko::main]
    struct Main;
}

fn main() {}
