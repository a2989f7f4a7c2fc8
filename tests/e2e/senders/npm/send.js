// Have thingspeakclient, as it comes from npm, update a channel:
// node send.js SERVER KEY '{"field1": 21.5}'; prints what its callback is given.
const ThingSpeakClient = require("thingspeakclient");

const [server, writeKey, fields] = process.argv.slice(2);
const client = new ThingSpeakClient({ server, useTimeoutMode: false });
client.attachChannel(1, { writeKey });
client.updateChannel(1, JSON.parse(fields), (error, entry) => {
  if (error) throw error;
  console.log(entry);
});
