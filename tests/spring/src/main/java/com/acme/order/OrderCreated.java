package com.acme.order;

import java.math.BigDecimal;
import java.time.Instant;

/** The order service's own class. */
public record OrderCreated(String orderId, String product, int quantity, BigDecimal price, Instant createdAt) {}
