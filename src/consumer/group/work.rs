use std::{any::Any, future::Future, pin::Pin};

/// A request, or several, under way.
pub(super) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Waits for the end of what is under way, after which nothing is; for ever, where nothing is. If this is dropped it goes on.
pub(super) async fn end_of<T>(work: &mut Option<Work<T>>) -> T {
    let Some(under_way) = work else { return std::future::pending().await };
    let done = under_way.await;
    *work = None;
    done
}

/// What a panic in it said.
pub(super) fn said(panic: &(dyn Any + Send)) -> &str {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    said.unwrap_or("it did not say why")
}
