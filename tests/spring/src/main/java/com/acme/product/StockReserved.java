package com.acme.product;

public record StockReserved(String orderId, String product, int reserved) {}
