// The code under test: it knows nothing of Magnéto-Serge, and nothing of undici.

const API = process.env.API_URL ?? "https://jsonplaceholder.typicode.com";

/** The user's name, or "nobody" where the API does not give one. */
export async function userName(id) {
  const response = await fetch(`${API}/users/${id}`);
  if (!response.ok) return "nobody";
  return (await response.json()).name;
}

/** Write a post; resolves to its number. */
export async function writePost(userId, title) {
  const response = await fetch(`${API}/posts`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ userId, title }),
  });
  return (await response.json()).id;
}
