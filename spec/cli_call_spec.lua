--- `silly call`, as from a shell.

local certificates = require "spec.support.certificates"
local process = require "spec.support.shell"
local raw = require "spec.support.raw"

local SCHEMA = [[
add 0x01 {
	.numbers:integer[] 1
	.name:string 2
}
sum 0x02 {
	.total:integer 1
	.name:string 2
}
other 0x07 {
	.text:string 1
}
untagged {
	.text:string 1
}
]]

--- Answers an add by a sum, and other commands by what they carry; 9 never.
local SERVER = [[
local cluster, zproto = require "silly.net.cluster", require "zproto"
local proto = assert(zproto:load "schema.zproto")
cluster.serve {
	marshal = function(_, cmd, body) return body and cmd, body end,
	unmarshal = function(_, _, data) return data end,
	call = function(_, cmd, data)
		if cmd == 1 and data ~= "" then
			local body, total = proto:decode("add", proto:unpack(data)), 0
			for _, number in ipairs(body.numbers) do total = total + number end
			return proto:pack(proto:encode("sum", { total = total, name = body.name }))
		end
		return cmd ~= 9 and data or nil
	end,
}
print(assert(cluster.listen "127.0.0.1:0").addr)
print(assert(cluster.listen("127.0.0.1:0", nil, { wire = 2 })).addr)
local function file(name) return os.getenv "CERTIFICATES" .. "/" .. name end
local tls = { cert = file "node.pem", key = file "node.key", ca = file "ca.pem" }
print(assert(cluster.listen("127.0.0.1:0", nil, { tls = tls })).addr)
]]

describe("silly call", function()
	local server, addr, second, sealed

	setup(function()
		process.write("schema.zproto", SCHEMA)
		local directory = certificates.path("")
		server = process.start(SERVER, {
			command = ("env CERTIFICATES='%s' %s"):format(directory, process.launcher),
			stderr = "/dev/null",
		})
		addr, second, sealed = server.read(), server.read(), server.read()
	end)
	teardown(function()
		server.kill("TERM")
		server.wait()
		process.clean()
	end)

	local function call(arguments, stdin)
		return process.command(process.launcher .. " call " .. arguments, stdin)
	end

	--- Demands an answer.
	local function answers(expected, arguments, stdin)
		assert.same({ status = 0, out = expected, err = "" }, call(arguments:gsub("ADDR", addr), stdin))
	end

	--- Demands a status and the first line of the reason.
	local function fails(status, reason, arguments)
		local result = call(arguments:gsub("ADDR", addr))
		assert.same({ status, "", "silly call: " .. reason }, {
			result.status, result.out, result.err:match("^[^\n]*"),
		})
	end

	it("speaks the generation of the wire that the node speaks", function()
		local result = call(("--wire 2 %s 3 hello"):format(second))
		assert.same({ status = 0, out = "hello\n", err = "" }, result)
	end)

	it("speaks TLS, where it is told of files", function()
		local files = ("--ca '%s' --cert '%s' --key '%s' "):format(
			certificates.path("ca.pem"), certificates.path("client.pem"), certificates.path("client.key"))
		assert.same({ status = 0, out = "hello\n", err = "" }, call(files .. sealed .. " 7 hello"))
		local named = call(files .. "--server-name=another.host " .. sealed .. " 7 hello")
		assert.equal(1, named.status)
		assert.matches('not valid for name "another.host"', named.err)
		local without = call(sealed .. " 7 hello")
		assert.matches("it speaks TLS, and this end does not", without.err)
		local missing = call("--ca /nowhere.pem " .. sealed .. " 7 hello")
		assert.equal(2, missing.status)
		assert.matches("^silly call: ca /nowhere.pem: No such file or directory\n", missing.err)
	end)

	it("prints the answer", function()
		answers("hello\n", "ADDR 3 hello")
		answers("two words\n", "ADDR 0x3 'two words'")
		answers("\n", "ADDR 3")
	end)

	it("reads the data from standard input", function()
		answers("typed\n\n", "ADDR 3 -", "typed\n")
	end)

	it("takes options before and behind the words, and data like an option behind --", function()
		answers("x\n", "--timeout=1000 ADDR 3 x --codec raw")
		answers("--codec\n", "ADDR 3 -- --codec")
	end)

	it("speaks hexadecimal digits", function()
		answers("00ff7f\n", "--codec hex ADDR 3 '00 FF 7f'")
		fails(2, "DATA: not hexadecimal digits in pairs", "--codec hex ADDR 3 abc")
	end)

	it("demands JSON of both ends", function()
		answers('{"a": [1]}\n', "--codec json ADDR 3 '{\"a\": [1]}'")
		fails(2, "DATA: not JSON: a value wanted, at byte 2", "--codec json ADDR 3 [}")
		fails(1, "timeout", "--codec json --timeout 50 ADDR 9 1")
	end)

	it("makes messages of a schema from JSON, and JSON from the answer", function()
		answers('{"name":"x","total":6}\n',
			"--codec zproto=schema.zproto ADDR add '{\"numbers\": [1, 2, 3], \"name\": \"x\"}'")
		answers('{"total":3}\n', "--codec zproto=schema.zproto ADDR 1 '{\"numbers\": [3]}'")
		answers('{"text":"x"}\n', "--codec zproto=schema.zproto:other ADDR other '{\"text\": \"x\"}'")
	end)

	it("says what does not fit the schema", function()
		fails(2, "the codec knows no command nothing", "--codec zproto=schema.zproto ADDR nothing {}")
		fails(2, "the codec knows no command untagged", "--codec zproto=schema.zproto ADDR untagged {}")
		fails(2, "DATA: schema.zproto has no struct with the tag 5", "--codec zproto=schema.zproto ADDR 5 {}")
		fails(2, "schema.zproto has no struct sam", "--codec zproto=schema.zproto:sam ADDR add {}")
		fails(2, "missing.zproto: No such file or directory", "--codec zproto=missing.zproto ADDR add {}")
		fails(1, "the answer: schema.zproto has no struct with the tag 8; name one: zproto=FILE:ANSWER",
			"--codec zproto=schema.zproto ADDR other {}")
		local result = call(("--codec zproto=schema.zproto %s add '{\"numbers\": 1}'"):format(addr))
		assert.equal(2, result.status)
		assert.matches("^silly call: DATA: .*numbers", result.err)
	end)

	it("tells on stderr why there is no answer, with status 1", function()
		fails(1, "timeout", "--timeout 50 ADDR 9 x")
		assert.matches("timeout\nThe node's log has the error if the handler failed; that it returned nothing is there "
			.. "only at level debug\n$", call(("--timeout 50 %s 9 x"):format(addr)).err)
		local dead = raw.dead_address()
		fails(1, ("connect %s: Connection refused"):format(dead), dead .. " 3 x")
	end)

	it("tells mistakes in the command line, with status 2", function()
		fails(2, "which node? HOST:PORT is missing", "")
		fails(2, "which command? CMD is missing", "ADDR")
		fails(2, "the codec knows no command 4294967296", "ADDR 4294967296")
		fails(2, "too many arguments; DATA with spaces must be quoted", "ADDR 3 a b")
		fails(2, "unknown option --kodec", "--kodec hex ADDR 3")
		fails(2, "unknown codec xml: raw, hex, json or zproto=FILE[:ANSWER]", "--codec xml ADDR 3")
		fails(2, "--codec needs a value", "ADDR 3 --codec")
		fails(2, "--timeout must be a whole number from 1 to 86400000, got 0", "--timeout 0 ADDR 3")
		local result = call("127.0.0.1 3")
		assert.equal(2, result.status)
		assert.matches("the port is missing", result.err)
	end)
end)
