//! Tells the tests what there is, so that a test without its broker or database shows as ignored; and compiles their `.proto` files.

use std::env;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    plain_tonic()?;
    for (variables, cfg) in [
        (&["KINOKO_TEST_AMQP_URI"][..], "broker"),
        (&["KINOKO_TEST_RABBITMQ_SERVER"], "private_broker"),
        (&["KINOKO_TEST_POSTGRES_URL"], "postgres"),
        (&["KINOKO_TEST_PYTHON_NAMEKO2", "KINOKO_TEST_PYTHON_NAMEKO3"], "python"),
        (&["KINOKO_TEST_PYTHON_HTTP"], "python_http"),
        (&["KINOKO_TEST_PYTHON_JWT"], "python_jwt"),
        (&["KINOKO_TEST_PYTHON_GRPC"], "python_grpc"),
        (&["KINOKO_TEST_PYTHON_HTTP", "KINOKO_TEST_CHROMIUM"], "browser"),
        (&["KINOKO_TEST_PROMETHEUS"], "prometheus"),
        (&["KINOKO_TEST_CONSUL"], "consul"),
        (&["KINOKO_TEST_QUICK"], "quick"),
    ] {
        for variable in variables {
            println!("cargo::rerun-if-env-changed={variable}");
        }
        println!("cargo::rustc-check-cfg=cfg({cfg})");
        if variables.iter().all(|variable| env::var_os(variable).is_some_and(|value| !value.is_empty())) {
            println!("cargo::rustc-cfg={cfg}");
        }
    }
    kinoko_build::compile(["protos/echo.proto", "protos/inventory.proto", "protos/stock.proto"])?;
    kinoko_build::Protos::new()
        .file("protos/forms.proto")
        .file("protos/shop.proto")
        .file("protos/warehouse.proto")
        .errors("warehouse.v1.Warehouse", "super::WarehouseError")
        .schema(true)
        .compile()?;
    Ok(())
}

/// The same as tonic makes it, for the benchmark.
fn plain_tonic() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::path::Path::new(&env::var("OUT_DIR")?).join("tonic");
    std::fs::create_dir_all(&folder)?;
    let files = protox::compile(["protos/echo.proto"], ["protos"])?;
    tonic_prost_build::configure().out_dir(folder).compile_fds(files)?;
    Ok(())
}
