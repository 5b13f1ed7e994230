// The accounts of a development server, as variables of the collection.
export const ADMIN = { admin_email: "admin@example.com", admin_password: "bucketlist-admin" };
export const DEMO = { email: "demo@example.com", password: "bucketlist-demo" };
