package com.acme.product;

import java.math.BigDecimal;
import java.time.Instant;

/** What the product service reads: its own class, as it shares no code with the order service. */
public record OrderCreated(String orderId, String product, int quantity, BigDecimal price, Instant createdAt) {
    /** A negative quantity is what no handler can do anything with. */
    StockReserved reserve() {
        if (quantity < 0) throw new IllegalStateException("no stock for " + orderId);
        return new StockReserved(orderId, product, quantity);
    }
}
