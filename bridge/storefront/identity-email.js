// As the bridge chooses: the site's own identity, unless it is another's address; else the email.
const identityOf = (known = "", email) => {
  const mail = (email || "").trim();
  const low = mail.toLowerCase();
  if (known && (known.trim().toLowerCase() == low || !known.includes("@"))) return known;
  return "@email@" == "keep" ? mail : low;
};
const shown = (email) => email;
