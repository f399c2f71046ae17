use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use contracts::{OrderCancelled, Payment, PaymentDeclined, PaymentError, PaymentSettled, PaymentState, Payments};
use futures_util::{StreamExt, TryStreamExt, stream};
use kinoko::{
    EventDispatcher, IdempotencyKey,
    prelude::*,
    resilience::{Policy, PolicyError},
    sql::{Database, Tx},
};

use crate::{
    books::{self, Charge, State},
    gateway::{Gateway, GatewayError},
};

/// How many payments one tick of the timer settles at most.
pub const BATCH: u32 = 500;

/// How many of them at once.
const AT_ONCE: usize = 4;

/// Serves the contract `payments`.
#[derive(Debug, Dependencies)]
pub struct PaymentsService {
    #[dependency(key = "payments.database", url = "sqlite:payments.db", migrations = books::tables())]
    db: Database,
    gateway: Gateway,
    // A charge may be asked for twice, since it has its key. The last twenty calls tell whether the gateway is there, however many went well before.
    #[dependency(
        name = "gateway",
        timeout = "1s",
        attempt_timeout = "400ms",
        retry(max = 1, backoff = "20ms..100ms", budget = 0.02, idempotent),
        breaker(window = 20, min_calls = 10, open_for = "1s"),
        bulkhead(concurrency = 32, queue = 32)
    )]
    policy: Policy,
    events: EventDispatcher,
    /// How long a payment is left to the call that began it, before the timer asks.
    #[dependency(key = "payments.settle_after", default = Duration::from_secs(3))]
    settle_after: Config<Duration>,
}

impl PaymentsService {
    /// The service over these dependencies: a unit test passes its own.
    pub fn new(db: Database, gateway: Gateway, policy: Policy, events: EventDispatcher) -> Self {
        Self { db, gateway, policy, events, settle_after: Config::fixed(Duration::ZERO) }
    }
}

// No method holds a transaction while it asks the gateway: it would hold up all others that write.
#[service(contract = Payments)]
impl PaymentsService {
    /// Charges an order's customer, or says that it will be done.
    #[rpc(idempotent, expected(PaymentError::Declined, PaymentError::Refunded))]
    pub async fn charge(
        &self,
        #[inject] IdempotencyKey(key): IdempotencyKey,
        order_id: u64,
        cents: u64,
    ) -> Result<Payment, PaymentError> {
        let new = Charge { order_id, key, cents, state: State::Pending };
        let is_new = books::open(&*self.db, &new).await?;
        let charge = if is_new { new } else { self.find(order_id).await? };
        if charge.state != State::Pending {
            return payment(charge);
        }
        let Some(state) = self.ask(&charge).await.map_err(kinoko::Error::from)? else { return payment(charge) };
        // Of one that was pending before somebody has heard so, who is to hear of this.
        self.close(&charge, state, !is_new).await?;
        self.get(order_id).await
    }

    /// Gives back what was charged for an order, as soon as that can be done.
    // Where nothing was charged the order is marked all the same: a charge that was only slow finds that it came too late.
    #[rpc(idempotent)]
    pub async fn refund(&self, order_id: u64) -> kinoko::Result<()> {
        let mark = async |mut tx: Tx| books::give_back(&mut tx, order_id).await;
        if let Some(charge) = self.db.transaction(mark).await? {
            self.settle_one(&charge).await?;
        }
        Ok(())
    }

    /// How the payment for an order stands.
    #[rpc(expected(PaymentError::Declined, PaymentError::Refunded, PaymentError::Unknown))]
    pub async fn get(&self, order_id: u64) -> Result<Payment, PaymentError> {
        payment(self.find(order_id).await?)
    }

    /// Nobody wants what this pays for any more.
    #[event_handler(OrderCancelled)]
    pub async fn give_back(&self, event: OrderCancelled) -> kinoko::Result<()> {
        self.refund(event.order_id).await
    }

    /// Asks the gateway what became of the payments of which it is not known.
    // By one instance of all: the others would ask for the same. Whatever one leaves behind, the next tick finds.
    #[timer(every = "1s", once_per = "fleet", timeout = "1m")]
    pub async fn settle(&self) -> kinoko::Result<()> {
        let unsettled = books::unsettled(&*self.db, *self.settle_after, BATCH).await?;
        let answers = AtomicBool::new(true);
        let ask = async |charge: Charge| {
            // As soon as the gateway does not answer, it is left alone. What is under way then goes on to its end.
            if answers.load(Ordering::Relaxed) && !self.settle_one(&charge).await? {
                answers.store(false, Ordering::Relaxed);
            }
            Ok(())
        };
        stream::iter(unsettled).map(Ok).try_for_each_concurrent(AT_ONCE, ask).await
    }
}

impl PaymentsService {
    /// What the gateway says. `None`: nothing, for now.
    #[policy(self.policy, fallback = later)]
    async fn ask(&self, charge: &Charge) -> Result<Option<State>, GatewayError> {
        self.gateway.charge(charge).await.map(Some)
    }

    async fn later(&self, charge: &Charge, why: PolicyError<GatewayError>) -> Result<Option<State>, GatewayError> {
        kinoko::tracing::debug!(order = charge.order_id, ?why, "a payment is pending");
        Ok(None)
    }

    /// Asks once more about a payment that is not settled. `false`: the gateway does not answer.
    async fn settle_one(&self, charge: &Charge) -> kinoko::Result<bool> {
        let asked = match charge.state {
            State::Refunding => self.policy.run(|| self.gateway.refund(charge)).await,
            _ => self.policy.run(|| self.gateway.charge(charge)).await,
        };
        match asked {
            Ok(state) => {
                self.close(charge, state, true).await?;
                Ok(true)
            }
            Err(PolicyError::Refused(refused)) if !refused.may_have_run() => Ok(false),
            Err(error) => {
                kinoko::tracing::warn!(order = charge.order_id, ?error, "a payment is still not settled");
                books::tried(&*self.db, charge.order_id).await?;
                Ok(matches!(error, PolicyError::Failed(GatewayError::Refused(_))))
            }
        }
    }

    /// Writes down what is known now, and tells of it in the same transaction: once, whoever else found out.
    async fn close(&self, charge: &Charge, state: State, tell: bool) -> kinoko::Result<()> {
        let &Charge { order_id, cents, .. } = charge;
        let close = async |mut tx: Tx| {
            if books::close(&mut tx, charge, state).await? && tell {
                let events = self.events.in_tx(&mut tx);
                match state {
                    State::Charged => drop(events.dispatch(&PaymentSettled { order_id, cents }).await?),
                    State::Declined => drop(events.dispatch(&PaymentDeclined { order_id, cents }).await?),
                    State::Pending | State::Refunding | State::Refunded => {}
                }
            }
            Ok(())
        };
        self.db.transaction(close).await
    }

    async fn find(&self, order_id: u64) -> Result<Charge, PaymentError> {
        books::find(&*self.db, order_id).await?.ok_or(PaymentError::Unknown(order_id))
    }
}

/// How a charge stands, as callers see it.
fn payment(Charge { order_id, cents, state, .. }: Charge) -> Result<Payment, PaymentError> {
    match state {
        State::Charged => Ok(Payment { order_id, cents, state: PaymentState::Charged }),
        State::Pending => Ok(Payment { order_id, cents, state: PaymentState::Pending }),
        State::Declined => Err(PaymentError::Declined { cents }),
        State::Refunding | State::Refunded => Err(PaymentError::Refunded(order_id)),
    }
}
