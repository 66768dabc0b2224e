--- Scripts that are written to the newest edition of silly.

local cluster = require "silly.net.cluster"
local errno = require "silly.errno"
local task = require "silly.task"
local tcp = require "silly.net.tcp"
local node = require "spec.support.node"
local raw = require "spec.support.raw"
local wire = require "spec.support.wire"

--- Serves as the newest edition does.
local function serve(changes)
	local conf = { edition = "0.7" }
	for option, value in pairs(changes or {}) do
		conf[option] = value
	end
	node.serve(conf)
end

describe("edition 0.7", function()
	before_each(function()
		node.before()
		serve()
	end)
	after_each(node.after)

	it("connects when a handle is used, and not before; from outside of tasks, too", async(function()
		local server = raw.listen()
		local peer
		local outside = coroutine.wrap(function()
			peer = cluster.connect(server.addr)
		end)
		outside()
		assert.same({ server.addr, server.addr }, { peer.addr, peer.remoteaddr })
		assert.is_nil(peer.fd)
		assert.equal(0, cluster.stats().connections_out)
		task.fork(function()
			local client = server:accept()
			client:send(wire.two.response(client:frame(nil, wire.two).session, "here"))
		end)
		assert.equal("here", (cluster.call(peer, 1, "x")))
		assert.is_number(peer.fd)
		assert.equal(1, cluster.stats().connections_out)
	end))

	it("gives each connect a handle of its own, whose first callers share one connection", async(function()
		local listener = node.listen()
		local before = cluster.stats().connects
		local first, second = node.connect(listener.addr), node.connect(listener.addr)
		assert.is_false(first == second)
		node.crowd(20, function(index)
			assert.equal("r:x", (cluster.call(index % 2 == 0 and first or second, 1, "x")))
		end)
		assert.equal(2, cluster.stats().connects - before)
	end))

	it("still shares handles that are asked to be shared, each generation's own", async(function()
		local listener = node.listen()
		local shared = { shared = true }
		local first = node.connect(listener.addr, shared)
		assert.equal("r:x", (cluster.call(first, 1, "x")))
		assert.equal(first, node.connect(listener.addr, shared))
		local other = node.listen(nil, nil, { wire = 1 })
		assert.equal("r:x", (cluster.call(node.connect(other.addr, { wire = 1 }), 1, "x")))
	end))

	it("returns nil and a message for a malformed address", async(function()
		assert.same({ nil, "Invalid address:nowhere" }, { cluster.connect("nowhere") })
	end))

	it("gives accept the peer alone, and close a text", async(function()
		local accepted, closed
		serve({
			accept = function(...)
				accepted = { select("#", ...), ... }
			end,
			close = function(_, why)
				closed = why
			end,
		})
		local listener = node.listen()
		local client = raw.connect(listener.addr)
		node.eventually(function()
			return accepted
		end, "the accept")
		assert.equal(1, accepted[1])
		assert.equal(client:name(), accepted[2].remoteaddr)
		client:close()
		node.eventually(function()
			return closed
		end, "the close")
		assert.equal("End of file (10004)", closed)
		assert.equal(errno.EOF, closed)
		closed = nil
		client = raw.connect(listener.addr)
		client:reset()
		node.eventually(function()
			return closed
		end, "the second close")
		assert.equal(errno.CONNRESET, closed)
	end))

	it("has the system's words for errors, with their number", async(function()
		local server = raw.listen()
		local peer = node.connect(server.addr)
		assert.same({ nil, "Operation timed out (110)" }, { cluster.call(peer, 1, "x", 30) })
		local refused = node.connect("127.0.0.1:1")
		assert.same({ nil, "Connection refused (111)" }, { cluster.call(refused, 1, "x") })
		assert.same({ nil, "Connection refused (111)" }, { cluster.send(refused, 1, "x") })
		assert.same({ nil, errno.RESOLVE }, { cluster.call(node.connect("no.such.host.invalid:1"), 1, "x") })
		task.fork(function()
			server:accept():close()
		end)
		assert.same({ nil, errno.CLOSED }, { cluster.call(peer, 1, "x") })
	end))

	it("has a closed handle dead, without its address, used or not", async(function()
		local listener = node.listen()
		local used, unused = node.connect(listener.addr), node.connect(listener.addr)
		cluster.call(used, 1, "x")
		for _, peer in ipairs({ used, unused }) do
			cluster.close(peer)
			assert.is_nil(peer.addr)
			assert.same({ nil, "Peer closed" }, { cluster.call(peer, 1, "x") })
			cluster.close(peer)
		end
	end))

	it("speaks generation 2 unless wire says otherwise", async(function()
		local server = raw.listen()
		assert.is_true(cluster.send(node.connect(server.addr), 1, "x"))
		assert.equal("x", server:accept():frame(nil, wire.two).data)
		serve({ wire = 1 })
		assert.is_true(cluster.send(node.connect(server.addr), 1, "y"))
		assert.equal("y", server:accept():frame().data)
	end))

	it("has the same in streams: a field, the end, the words", async(function()
		local listener = assert(tcp.listen({
			addr = "127.0.0.1:0",
			accept = function(conn)
				assert(type(conn.remoteaddr) == "string")
				conn:read(1)
				conn:close()
			end,
		}))
		local conn = assert(tcp.connect(listener.addr))
		assert.equal(listener.addr, conn.remoteaddr)
		assert.same({ nil, errno.TIMEDOUT }, { conn:read(1, 10) })
		conn:write("x")
		assert.same({ nil, errno.EOF }, { conn:read(1) })
		conn:close()
		assert.same({ nil, errno.CLOSED }, { conn:read(1) })
		listener:close()
		assert.same({ nil, errno.CONNREFUSED }, { tcp.connect(listener.addr) })
	end))

	it("is not the default, and nothing of it stays", async(function()
		node.serve()
		local listener = node.listen()
		local peer = node.connect(listener.addr)
		assert.is_number(peer.fd)
		assert.equal(peer, node.connect(listener.addr))
		assert.same({ nil, "timeout" }, { cluster.call(node.connect(raw.listen().addr), 1, "x", 20) })
		local ok, problem = pcall(node.serve, { edition = "0.8" })
		assert.is_false(ok)
		assert.matches("cluster.serve: option 'edition' must be \"0.6\" or \"0.7\", got string \"0.8\"", problem, 1, true)
	end))
end)
