/* The operations of the tour, as a client's developer would write them. */

export const BROWSE = `query Browse($first: Int!) {
  products(first: $first) {
    totalCount
    nodes {
      name
      vendor { name isOpenNow }
      categories { name }
      variants { id sku price { amount currency } stock { isAvailable } }
    }
  }
  categoryTree { name children { name } }
}`;

export const REGISTER = `mutation Register($input: RegisterInput!) { register(input: $input) { accepted userErrors { code message } } }`;

export const LOGIN = `mutation Login($input: LoginInput!) { login(input: $input) { accessToken user { id name } userErrors { code message } } }`;

export const GOODS = `query Goods($vendor: String!) {
  vendorBySlug(slug: $vendor) {
    id
    name
    products(first: 10) { nodes { name variants { id name price { amount currency } isForSale stock { isAvailable } } } }
  }
}`;

export const ADD = `mutation Add($input: AddToCartInput!) {
  addToCart(input: $input) {
    cart { totalQuantity subtotal { amount currency } groups { vendor { name } lines { quantity variant { product { name } } } } problems { code } }
    userErrors { code message path }
  }
}`;

export const PLACE = `mutation Place($input: PlaceOrderInput!) {
  placeOrder(input: $input) {
    order { id status total { amount currency } buyer { name } vendorOrders { id vendor { name } status lines { productName quantity variant { product { name } } } } }
    userErrors { code message path }
  }
}`;

export const MINE = `subscription Mine { orderEvents { cursor kind newStatus order { id status total { amount currency } } } }`;

export const RECEIVED = `subscription Received($vendorId: ID!) {
  vendorOrderReceived(vendorId: $vendorId) { vendorOrder { id subtotal { amount currency } lines { productName quantity } } }
}`;

export const STATUS = `subscription Status($orderId: ID!) {
  orderStatusChanged(orderId: $orderId) { previousStatus newStatus vendorOrder { vendor { name } } order { status } }
}`;

export const MOVE = `mutation Move($input: UpdateVendorOrderStatusInput!) {
  updateVendorOrderStatus(input: $input) { vendorOrder { id status nextStatuses } userErrors { code message path } }
}`;

export const CANCEL = `mutation Cancel($input: CancelOrderInput!) {
  cancelOrder(input: $input) { order { id status } userErrors { code message path } }
}`;

export const FOREIGN = `query Foreign($id: ID!) { order(id: $id) { id total { amount } } }`;
