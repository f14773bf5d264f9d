// A SMART app on a server, as its authors write it with `fhirclient`: /launch sends the browser to the node,
// /app gets it back and reads. Usage: node smart.cjs <folder of fhirclient> <iss> <redirect address> <scope>
const http = require("http");
const [folder, iss, redirectUri, scope] = process.argv.slice(2);
const smart = require(folder);
const session = {};
const storage = {
  get: async (key) => session[key],
  set: async (key, value) => (session[key] = value),
  unset: async (key) => delete session[key],
};

async function app(client) {
  const patient = await client.patient.read();
  const observations = await client.request("Observation", { pageLimit: 0, flat: true });
  const refused = await client.request("Condition/c1").then(() => "read", (error) => error.status);
  await client.refresh();
  const again = await client.patient.read();
  return {
    patient: patient.id,
    observations: observations.map((one) => one.id).sort(),
    refused,
    refreshed: again.id,
    user: client.user.id,
  };
}

const server = http.createServer(async (request, response) => {
  try {
    const api = smart(request, response, storage);
    if (request.url.startsWith("/launch")) {
      await api.authorize({ iss, clientId: "chart", scope, redirectUri, pkceMode: "required" });
    } else {
      const found = await app(await api.ready());
      response.end(JSON.stringify(found));
    }
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error.stack || error));
  }
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
