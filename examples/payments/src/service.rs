use contracts::{Payment, PaymentError, Payments};
use kinoko::{
    prelude::*,
    sql::{Database, Migrations, Tx},
};

/// Serves the contract `payments`.
#[derive(Debug, Dependencies)]
pub struct PaymentsService {
    #[dependency(key = "payments.database", url = "sqlite:payments.db", migrations = books())]
    db: Database,
    /// What the bank declines: all above it.
    #[dependency(key = "payments.limit_cents", default = 1_000_000)]
    limit: Config<u64>,
}

fn books() -> Migrations {
    Migrations::new([(
        1,
        "CREATE TABLE payment (order_id BIGINT PRIMARY KEY, cents BIGINT NOT NULL, refunded BIGINT NOT NULL)",
    )])
}

#[service(contract = Payments)]
impl PaymentsService {
    /// Charges an order's customer.
    // With its answer kept in the same transaction: whoever asks again under the same key hears what the first one heard.
    #[rpc(idempotent, expected(PaymentError::Declined, PaymentError::Refunded))]
    pub async fn charge(&self, #[inject] mut tx: Tx, order_id: u64, cents: u64) -> Result<Payment, PaymentError> {
        if cents > *self.limit {
            return Err(PaymentError::Declined { cents });
        }
        match enter(&mut tx, order_id, cents).await? {
            (cents, false) => Ok(Payment { order_id, cents }),
            (_, true) => Err(PaymentError::Refunded(order_id)),
        }
    }

    /// Gives back what was charged for an order.
    // Where nothing was charged the order is marked all the same: a charge that was only slow finds that it came too late.
    #[rpc(idempotent)]
    pub async fn refund(&self, #[inject] mut tx: Tx, order_id: u64) -> kinoko::Result<()> {
        let sql = "INSERT INTO payment VALUES ($1, 0, 1) ON CONFLICT (order_id) DO UPDATE SET refunded = 1";
        sqlx::query(sql).bind(number(order_id)?).execute(&mut *tx).await?;
        Ok(())
    }
}

/// Enters a charge, if there is none yet; what is in the books then, and whether it was refunded.
async fn enter(tx: &mut Tx, order_id: u64, cents: u64) -> kinoko::Result<(u64, bool)> {
    let sql = "INSERT INTO payment VALUES ($1, $2, 0) ON CONFLICT (order_id) DO NOTHING";
    sqlx::query(sql).bind(number(order_id)?).bind(number(cents)?).execute(&mut **tx).await?;
    let sql = "SELECT cents, refunded FROM payment WHERE order_id = $1";
    let (cents, refunded): (i64, i64) = sqlx::query_as(sql).bind(number(order_id)?).fetch_one(&mut **tx).await?;
    Ok((u64::try_from(cents)?, refunded != 0))
}

/// As databases know numbers.
fn number(number: u64) -> kinoko::Result<i64> {
    Ok(i64::try_from(number)?)
}
