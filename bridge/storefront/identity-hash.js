// As the bridge chooses: the site's own identity, unless it is an address; else the email's hash.
const identityOf = async (known = "", email) => {
  if (known && !known.includes("@")) return known;
  if (!email) return "";
  const text = new TextEncoder().encode(email.trim().toLowerCase());
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
  return [...hash].map((byte) => byte.toString(16).padStart(2, 0)).join("");
};
const shown = () => "";
