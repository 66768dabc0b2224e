--- Who is let in: bounds on connections, their rate, and the word of accept.

local cluster = require "silly.net.cluster"
local tcp = require "silly.net.tcp"
local time = require "silly.time"
local log = require "spec.support.log"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

--- Waits until so many connections that came in are there.
local function await_connections(count)
	node.eventually(function()
		return cluster.stats().connections_in == count
	end, count .. " connections")
end

describe("the guard", function()
	before_each(node.before)
	after_each(node.after)

	it("closes one connection too many, says so, and lets others in when there is room", async(function()
		node.serve({ maxconnections = 3 })
		local listener = node.listen()
		local refused = cluster.stats().refused_connections
		local clients = {}
		for index = 1, 3 do
			clients[index] = raw.connect(listener.addr)
		end
		await_connections(3)
		local late = raw.connect(listener.addr)
		assert.is_true(late:has_ended())
		assert.equal(1, cluster.stats().refused_connections - refused)
		local text = "refusing " .. late:name() .. ": 3 are here, as many as maxconnections allows"
		node.eventually(function()
			return log.mentions(text) == 1
		end, "a line in the log")
		clients[1]:close()
		await_connections(2)
		local client = raw.connect(listener.addr)
		client:send(wire.request(1, 1, "x"))
		assert.equal("r:x", client:frame().data)
	end))

	it("counts each host by itself", async(function()
		node.serve({ maxperhost = 2 })
		local listener = node.listen()
		for _ = 1, 2 do
			raw.connect(listener.addr)
		end
		await_connections(2)
		local refused = cluster.stats().refused_connections
		local third = raw.connect(listener.addr)
		assert.is_true(third:has_ended())
		assert.equal(1, cluster.stats().refused_connections - refused)
		local other = assert(tcp.connect(listener.addr, { bind = "127.0.0.2:0" }))
		other:write(wire.request(1, 1, "x"))
		assert.equal(wire.response(1, "r:x"), other:read(2 + 3 + 4))
		other:close()
	end))

	it("does not count what this side has dialled", async(function()
		node.serve({ maxconnections = 1, maxperhost = 1 })
		local server = raw.listen()
		for _ = 1, 5 do
			assert.is_number(node.connect(server.addr, { shared = false }).fd)
		end
		assert.equal("r:x", (cluster.call((node.pair()), 1, "x")))
	end))

	it("takes in as many in a second as maxaccepts says; the others wait, and nobody is refused", async(function()
		node.serve({ maxaccepts = 100 })
		local listener = node.listen(nil, 1000)
		local took = node.timed(function()
			local clients = {}
			for index = 1, 150 do
				clients[index] = raw.connect(listener.addr)
				clients[index]:send(wire.request(index, 1, "x"))
			end
			for index = 1, 150 do
				assert.equal(index, clients[index]:frame().session)
			end
		end)
		-- A hundred at once, and then one each 10 ms.
		assert.is_true(took >= 500, took .. " ms")
		assert.equal("", log.text())
	end))

	it("keeps a storm of strangers from the log and from those who are there", async(function()
		node.serve({ maxconnections = 20 })
		local listener = node.listen(nil, 1000)
		local peer = node.connect(listener.addr)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		local refused = cluster.stats().refused_connections
		for index = 1, 500 do
			raw.connect(listener.addr)
			if index % 50 == 0 then
				assert.equal("r:x", (cluster.call(peer, 1, "x")))
			end
		end
		node.eventually(function()
			return cluster.stats().refused_connections - refused == 481
		end, "the refusals")
		assert.equal(20, cluster.stats().connections_in)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		assert.is_true(log.mentions("refusing ") <= 5, log.mentions("refusing ") .. " lines")
	end))

	for what, accept in pairs({
		["returns false"] = function()
			return false
		end,
		["raises"] = function()
			error("not you", 0)
		end,
	}) do
		it("handles no request of a connection that accept refuses: it " .. what, async(function()
			local handled, closed
			node.serve({
				accept = accept,
				call = function()
					handled = true
				end,
				close = function()
					closed = true
				end,
			})
			local client = raw.connect(node.listen().addr)
			client:send(wire.request(1, 1, "x"))
			assert.is_true(client:has_ended())
			time.sleep(10)
			assert.is_nil(handled)
			assert.is_nil(closed)
			assert.equal(0, cluster.stats().connections_in)
		end))
	end

	it("lets in whom accept says nothing of, or something else than false", async(function()
		for _, verdict in ipairs({ "nil", true, 0 }) do
			node.serve({
				accept = function()
					return verdict ~= "nil" and verdict or nil
				end,
			})
			assert.equal("r:x", (cluster.call((node.pair()), 1, "x")))
		end
	end))

	it("refuses after accept has waited, too", async(function()
		local refused
		node.serve({
			accept = function(peer)
				refused = cluster.call(peer, 1, "who?") ~= "friend"
				return not refused
			end,
		})
		local client = raw.connect(node.listen().addr)
		client:send(wire.response(client:frame().session, "foe"))
		assert.is_true(client:has_ended())
		assert.is_true(refused)
	end))
end)
