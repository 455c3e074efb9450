// Asks a model a few times, whole and streamed in turn: where to is decided by the environment alone.
//
//   OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=… LLM_MODEL=o3 node client.mjs 10
import OpenAI from "openai";

const CUT_LIMIT = 3; // how often a stream that was cut is asked for again
const messages = [{ role: "user", content: "Say hello." }];
const model = process.env.LLM_MODEL;
const client = new OpenAI();

async function whole() {
  const answer = await client.chat.completions.create({ model, messages });
  return answer.choices[0].message.content ?? "";
}

async function streamed() {
  let text = "";
  let finished = false;
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
    text += chunk.choices[0].delta.content ?? "";
    finished ||= chunk.choices[0].finish_reason !== null;
  }
  if (!finished) throw new Error("the stream was cut");
  return text;
}

async function repeated() {
  for (let tries = 1; ; tries += 1) {
    try {
      return await streamed();
    } catch (error) {
      if (tries === CUT_LIMIT) throw error;
    }
  }
}

for (let number = 0; number < Number(process.argv[2]); number += 1) {
  const text = await (number % 2 ? repeated() : whole());
  console.log(JSON.stringify({ number, streamed: number % 2 === 1, text }));
  await new Promise((resolve) => setTimeout(resolve, 50));
}
