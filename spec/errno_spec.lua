local errno = require "silly.errno"
local node = require "spec.support.node"
local cluster = require "silly.net.cluster"
local raw = require "spec.support.raw"
local task = require "silly.task"

--- The number behind a text.
local function number(text)
	return tonumber(text:match(" %((%d+)%)$"))
end

describe("silly.errno", function()
	before_each(node.before)
	after_each(node.after)

	it("knows the system's errors by name, without the E", function()
		local names = "INTR ACCES BADF FAULT INVAL MFILE NFILE NOMEM NOBUFS NOTSOCK OPNOTSUPP AFNOSUPPORT "
			.. "PROTONOSUPPORT ADDRINUSE ADDRNOTAVAIL NETDOWN NETUNREACH NETRESET HOSTUNREACH CONNABORTED "
			.. "CONNRESET CONNREFUSED TIMEDOUT ISCONN NOTCONN INPROGRESS ALREADY AGAIN WOULDBLOCK PIPE "
			.. "DESTADDRREQ MSGSIZE PROTOTYPE NOPROTOOPT"
		for name in names:gmatch("%S+") do
			assert.matches("^%u[%w /'()-]+ %(%d+%)$", errno[name])
			assert.equal(errno[name], errno[number(errno[name])])
		end
		assert.matches("^Connection refused %(%d+%)$", errno.CONNREFUSED)
		assert.matches("^Connection reset by peer %(%d+%)$", errno.CONNRESET)
		assert.matches("^Operation timed out %(%d+%)$", errno.TIMEDOUT)
		assert.matches("^Address already in use %(%d+%)$", errno.ADDRINUSE)
	end)

	it("has the codes of the original's own", function()
		assert.equal("Address resolution failed (10000)", errno.RESOLVE)
		assert.equal("No free socket available (10001)", errno.NOSOCKET)
		assert.equal("Socket is closing (10002)", errno.CLOSING)
		assert.equal("Socket is closed (10003)", errno.CLOSED)
		assert.equal("End of file (10004)", errno.EOF)
		assert.equal("TLS error (10005)", errno.TLS)
		assert.equal(errno.EOF, errno[10004])
	end)

	it("says of anything else that it is unknown, and remembers that", function()
		assert.equal("Unknown error 'NONSENSE'", errno.NONSENSE)
		assert.equal("Unknown error 'NONSENSE'", rawget(errno, "NONSENSE"))
		assert.equal("Unknown error 'ECONNRESET'", errno.ECONNRESET)
		assert.equal("Unknown error '1.5'", errno[1.5])
		assert.equal("Unknown error '-1'", errno[-1])
		assert.equal("Unknown error 'true'", errno[true])
		assert.matches("^Unknown error", errno[0 / 0])
		assert.matches("^Unknown error", errno[2 ^ 40])
		assert.matches("%(9999%)$", errno[9999])
	end)

	it("puts into words what the close callback gets", async(function()
		local closed, waiting = nil, task.running()
		node.serve({
			accept = function()
				task.wakeup(waiting)
			end,
			close = function(_, code)
				closed = errno[code]
				task.wakeup(waiting)
			end,
		})
		local listener = node.listen()
		local peer = raw.connect(listener.addr)
		task.wait() -- until it is accepted
		peer:close()
		task.wait()
		assert.equal("closed in order (0)", closed)
		peer = raw.connect(listener.addr)
		task.wait()
		peer:reset()
		task.wait()
		assert.equal(errno.CONNRESET, closed)
		cluster.close(listener)
	end))
end)
