//! Lifetimes on a backend that does not offer them.

use state_core::{
    ErrorKind, Expires, Expiry, GetOptions, IncrementOptions, Key, LifetimeOn, PutOptions,
    StateBackendExt,
};

use crate::Context;
use crate::expect::{present, refused, value_is};

pub(super) async fn refused_lifetimes(cx: Context) {
    let key = Key::from("n");
    let deadline = cx.now().checked_add(cx.lifetime()).unwrap();
    cx.a.put("n", "1").await.unwrap();
    for expiry in [Expiry::After(cx.lifetime()), Expiry::At(deadline)] {
        let put = PutOptions::new().with_expiry(expiry);
        let answer = cx.a.put_opts(&key, "2".into(), put.clone()).await;
        refused(answer, ErrorKind::Unsupported, "put");
        let answer = cx.a.put_opts(&Key::from("absent"), "2".into(), put).await;
        refused(answer, ErrorKind::Unsupported, "a put that creates");
        refused(cx.a.touch("n", expiry).await, ErrorKind::Unsupported, "touch");
        let get = GetOptions::new().with_touch(expiry);
        let answer = cx.a.get_opts(&key, get).await;
        refused(answer, ErrorKind::Unsupported, "a read that touches");
        for on in [LifetimeOn::Create, LifetimeOn::Every] {
            let increment = IncrementOptions::new().with_expiry(expiry).with_lifetime_on(on);
            let answer = cx.a.increment_opts(&key, 1, increment).await;
            refused(answer, ErrorKind::Unsupported, "increment");
        }
    }
    value_is(&*cx.b, "n", Some("1")).await;
    value_is(&*cx.b, "absent", None).await;
}

pub(super) async fn no_lifetime(cx: Context) {
    for expiry in [Expiry::Default, Expiry::Never, Expiry::Keep] {
        let put = PutOptions::new().with_expiry(expiry);
        cx.a.put_opts(&Key::from("k"), "v".into(), put).await.unwrap();
        let shown = present(&*cx.b, "k").await.expires;
        assert_eq!(shown, Expires::Never, "the lifetime after a put with {expiry:?}");
    }
}
