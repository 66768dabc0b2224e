--- The bytes: what this end writes, and what it makes of bytes that no good node sends.

local cluster = require "silly.net.cluster"
local logger = require "silly.logger"
local task = require "silly.task"
local time = require "silly.time"
local trace = require "silly.trace"
local log = require "spec.support.log"
local node = require "spec.support.node"
local process = require "spec.support.process"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

--- A trace id from its digits, whatever this interpreter makes of one.
local function id(digits)
	return math.type and math.tointeger(tonumber("0x" .. digits)) or digits
end

describe("the wire", function()
	before_each(node.before)
	after_each(function()
		trace.setnode(0)
		node.after()
		process.kill_all()
	end)

	it("carries the documented bytes", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		trace.setnode(0x7788)
		trace.attach(id("1122334455660000"))
		assert.is_true(cluster.send(peer, 0x01020305, "hello"))
		node.eventually(function()
			client:pull()
			return #client.arrived == 23
		end, "the request")
		assert.equal("001568656c6c6f887766554433221105030201", wire.hex(client.arrived:sub(1, 19)))
		trace.attach(0)
	end))

	it("answers the documented bytes", async(function()
		node.serve({
			call = function(_, cmd, body)
				assert(cmd == 0x01020305 and body == "hello")
				return "world"
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(0x0a0b0c0d, 0x01020305, "hello", "1122334455667788"))
		node.eventually(function()
			client:pull()
			return #client.arrived == 11
		end, "the answer")
		assert.equal("0009776f726c640d0c0b8a", wire.hex(client.arrived))
	end))

	it("C25: a handler that raises or says nil costs only its own answer", async(function()
		node.serve({
			call = function(_, cmd, body)
				if cmd == 2 then
					return nil
				elseif cmd == 3 then
					error("broken handler")
				end
				return "r:" .. body
			end,
		})
		local client = raw.connect(node.listen().addr)
		local stream = {}
		for session = 1, 5 do
			stream[session] = wire.request(session, session, tostring(session))
		end
		client:send(table.concat(stream))
		for _, session in ipairs({ 1, 4, 5 }) do
			local frame = client:frame()
			assert.same({ true, session, "r:" .. session }, { frame.response, frame.session, frame.data })
		end
		assert.is_true(client:is_silent(20))
		assert.equal(1, log.count("E"))
	end))

	it("C26: frames may come byte by byte, with a stray answer in between", async(function()
		local client = raw.connect(node.listen().addr)
		local stream = wire.response(99, "stray") .. wire.request(7, 1, "hi") .. wire.response(7, "")
			.. wire.request(8, 1, "ho")
		for index = 1, #stream do
			client:send(stream:sub(index, index))
			time.sleep(0)
		end
		assert.equal("r:hi", client:frame().data)
		assert.equal("r:ho", client:frame().data)
		assert.equal("", log.text())
	end))

	it("C26: and many in one piece, cut anywhere", async(function()
		local client = raw.connect(node.listen().addr)
		local stream = {}
		for session = 1, 300 do
			stream[session] = wire.request(session, 1, ("x"):rep(session * 7 % 1000))
		end
		stream = table.concat(stream)
		local at, step = 1, 1
		while at <= #stream do
			client:send(stream:sub(at, at + step - 1))
			at, step = at + step, step * 3 % 10007
			time.sleep(0)
		end
		local frames = client:frames(300)
		for session = 1, 300 do
			assert.equal(session, frames[session].session)
			assert.equal(2 + session * 7 % 1000, #frames[session].data)
		end
	end))

	it("C27: an answer counts once; one with a wrong session counts not at all", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		task.fork(function()
			local first = client:frame().session
			client:send(wire.response(first, "once") .. wire.response(first, "twice"))
			local second = client:frame().session
			client:send(wire.response(second + 1000, "wrong") .. wire.response(first, "thrice"))
			local third = client:frame().session
			client:send(wire.response(second, "late") .. wire.response(third, "right"))
		end)
		assert.same({ "once", nil }, { cluster.call(peer, 1, "x") })
		assert.same({ nil, "timeout" }, { cluster.call(peer, 1, "x", 60) })
		assert.same({ "right", nil }, { cluster.call(peer, 1, "x") })
		assert.is_number(peer.fd)
		assert.equal("", log.text())
	end))

	it("C27: an answer from another connection than the one that was asked is none", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local client = server:accept()
		local thief = raw.connect(node.listen().addr)
		task.fork(function()
			local session = client:frame().session
			thief:send(wire.response(session, "stolen") .. wire.request(session, 1, "sync"))
			assert(thief:frame().data == "r:sync")
			client:send(wire.response(session, "mine"))
		end)
		assert.same({ "mine", nil }, { cluster.call(peer, 1, "x") })
	end))

	it("C27: nor is one on a later connection of the same handle", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local first = server:accept()
		local old
		task.fork(function()
			old = first:frame().session
			first:close()
		end)
		assert.same({ nil, "closed" }, { cluster.call(peer, 1, "x") })
		task.fork(function()
			local second = server:accept()
			local session = second:frame().session
			second:send(wire.response(old, "old") .. wire.response(session, "new"))
		end)
		assert.same({ "new", nil }, { cluster.call(peer, 1, "x") })
	end))

	it("C30: sessions count 0, 1, 2 in a fresh process, over calls and sends and peers", async(function()
		local server = raw.listen()
		process.start(([[
			local cluster = require "silly.net.cluster"
			local task = require "silly.task"
			cluster.serve({
				marshal = function(_, cmd, body) if body then return cmd, body end return nil, "none" end,
				unmarshal = function(_, _, data) return data end,
				call = function() end,
			})
			task.fork(function()
				local peer = cluster.connect("%s")
				local other = cluster.connect("%s", { shared = false })
				print(cluster.call(peer, 1, "first"))
				print(cluster.send(peer, 2, "second"))
				print(cluster.call(peer, 3, nil))
				print(cluster.call(other, 4, "third"))
				print(cluster.call(peer, 5, "fourth"))
				os.exit(0)
			end)
		]]):format(server.addr, server.addr))
		local peer, other = server:accept(), server:accept()
		local seen = {}
		for index, from in ipairs({ peer, peer, other, peer }) do
			local frame = from:frame()
			seen[index] = { frame.session, frame.cmd, frame.data, frame.trace }
			from:send(wire.response(frame.session, "ok"))
		end
		local none = ("0"):rep(16)
		assert.same({
			{ 0, 1, "first", none }, { 1, 2, "second", none }, { 2, 4, "third", none }, { 3, 5, "fourth", none },
		}, seen)
	end))

	local violations = {}
	for length = 0, 15 do
		violations["a frame of " .. length .. " bytes"] = wire.frame(("\0"):rep(length))
	end
	violations["a short frame behind a good one"] = wire.request(3, 1, "good") .. "\0\1x"

	for what, bytes in pairs(violations) do
		it("closes a connection for " .. what .. ", and only that one", async(function()
			local closes = {}
			node.serve({
				close = function(_, errno)
					closes[#closes + 1] = errno
				end,
			})
			local good, listener = node.pair()
			local client = raw.connect(listener.addr)
			client:send(bytes)
			assert.is_true(client:has_ended())
			assert.equal(1, #closes)
			assert.is_true(closes[1] ~= 0)
			assert.equal("r:x", (cluster.call(good, 1, "x")))
			assert.equal(1, log.count("E"))
			assert.truthy(log.text():find("closing " .. client:name() .. ": ", 1, true))
			assert.truthy(log.text():find("which must be at least", 1, true))
		end))
	end

	it("a violation by the server costs its callers a close, and the handle connects again", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		local first = server:accept()
		task.fork(function()
			first:frame()
			first:send("\0\0")
		end)
		assert.same({ nil, "closed" }, { cluster.call(peer, 1, "x") })
		task.fork(function()
			local second = server:accept()
			second:send(wire.response(second:frame().session, "fine"))
		end)
		assert.same({ "fine", nil }, { cluster.call(peer, 1, "x") })
	end))

	it("half a frame and then the end is no message", async(function()
		local handled, closed
		node.serve({
			call = function()
				handled = true
			end,
			close = function(_, errno)
				closed = errno
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.request(0, 1, "hello"):sub(1, -2))
		client:close()
		node.eventually(function()
			return closed
		end, "the close")
		assert.equal(0, closed)
		assert.is_nil(handled)
		assert.equal("", log.text())
	end))

	it("carries the caller's trace, passed on by its node, to the handler's task", async(function()
		local seen = {}
		node.serve({
			call = function(_, _, body)
				seen[body] = trace.current()
				seen[body .. " passed on"] = trace.propagate()
				logger.info("handling " .. body)
				return body
			end,
		})
		local peer = node.pair()
		trace.setnode(0x77)
		trace.attach(id("aaaabbbbccccdddd"))
		cluster.call(peer, 1, "call")
		assert.equal(id("aaaabbbbccccdddd"), trace.current())
		trace.setnode(0x88)
		cluster.send(peer, 1, "send")
		trace.attach(nil)
		cluster.call(peer, 1, "none")
		assert.same({
			["call"] = id("aaaabbbbcccc0077"),
			["call passed on"] = id("aaaabbbbcccc0077"),
			["send"] = id("aaaabbbbcccc0088"),
			["send passed on"] = id("aaaabbbbcccc0088"),
			["none"] = id("0000000000000088"),
			["none passed on"] = id("0000000000000088"),
		}, seen)
		assert.truthy(log.text():find(" aaaabbbbcccc0077 I [^\n]*handling call"))
		task.fork(function()
			seen.fresh = trace.current()
		end)
		time.sleep(0)
		assert.equal(0, seen.fresh)
	end))

	it("carries every bit of a trace id", async(function()
		local seen
		node.serve({
			call = function()
				seen = trace.current()
				return "x"
			end,
		})
		local client = raw.connect(node.listen().addr)
		for _, digits in ipairs({ "ffffffffffffffff", "8000000000000001", "0123456789abcdef" }) do
			client:send(wire.request(1, 1, "x", digits))
			assert.equal("x", client:frame().data)
			assert.equal(id(digits), seen)
		end
	end))
end)
