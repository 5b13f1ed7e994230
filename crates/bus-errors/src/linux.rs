//! The handler of SIGBUS. The only file with unsafe code.
//!
//! A signal handler may call only async-signal-safe functions and must not allocate or lock: everything here is a system call or works on
//! the stack.
#![allow(unsafe_code, reason = "signal handlers and memory mappings have no safe interface")]

use std::{
    io, mem, ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use libc::{c_int, c_void, siginfo_t};

use crate::maps::{Mapping, classify};

static COUNT: AtomicU64 = AtomicU64::new(0);
static IS_LOCKED: AtomicBool = AtomicBool::new(false);
static PREVIOUS: OnceLock<Previous> = OnceLock::new();

/// The page size, and the action of SIGBUS before the handler was installed.
struct Previous {
    page_size: usize,
    action: libc::sigaction,
}

pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::SeqCst)
}

pub(crate) fn install() -> io::Result<()> {
    if PREVIOUS.get().is_some() {
        return Ok(());
    }
    // SAFETY: `sysconf` has no preconditions.
    let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page_size = usize::try_from(page_size).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: all-zero bytes are a valid `sigaction`: the default action, without flags and without blocked signals.
    let (mut action, mut previous): (libc::sigaction, libc::sigaction) = unsafe { (mem::zeroed(), mem::zeroed()) };
    // SAFETY: both arguments point to valid values; a null pointer changes nothing.
    if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Stored before the handler can run.
    if PREVIOUS.set(Previous { page_size, action: previous }).is_err() {
        return Ok(());
    }
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = handle;
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: `action` is initialized, and its handler has the signature that SA_SIGINFO requires.
    if unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Returns to the failed instruction, which is repeated: on the private copy, or with the previous action of the signal.
extern "C" fn handle(_signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    let Some(previous) = PREVIOUS.get() else { return };
    // SAFETY: the kernel passes a valid `siginfo_t`; `si_addr` is valid for SIGBUS. `errno` belongs to this thread.
    let (code, address, errno) = unsafe { ((*info).si_code, (*info).si_addr() as usize, *libc::__errno_location()) };
    let page = address & !(previous.page_size - 1);
    let is_handled = code == libc::BUS_ADRERR && replace_index_page(page, previous.page_size);
    if !is_handled {
        // SAFETY: the action was returned by the kernel.
        unsafe { libc::sigaction(libc::SIGBUS, &raw const previous.action, ptr::null_mut()) };
    }
    // SAFETY: as above. The interrupted code must not see the errors of the handler.
    unsafe { *libc::__errno_location() = errno };
}

/// Replaces the page if it belongs to the index of a write-ahead log. One thread at a time: a second copy would not have what is written
/// to the first one in the meantime.
fn replace_index_page(page: usize, size: usize) -> bool {
    while IS_LOCKED.swap(true, Ordering::Acquire) {
        // SAFETY: `sched_yield` has no preconditions.
        unsafe { libc::sched_yield() };
    }
    let is_replaced = match find_mapping(page) {
        Mapping::SharedIndex => replace_page(page, size),
        // Another thread has replaced the page.
        Mapping::Anonymous => true,
        Mapping::Other => false,
    };
    IS_LOCKED.store(false, Ordering::Release);
    is_replaced
}

/// Replaces a page that can be read but not written by a private copy. The replacement is atomic: other threads see the page before or
/// after it, with the same contents.
fn replace_page(page: usize, size: usize) -> bool {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at an address that the kernel selects affects no other.
    let copy = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) };
    if copy == libc::MAP_FAILED {
        return false;
    }
    let target = page as *mut c_void;
    // SAFETY: `page` is a mapped page, and `copy` has the same size. Only writes to the page fail. Nothing changes it meanwhile, because
    // every other writer of this process waits in its handler.
    unsafe { ptr::copy_nonoverlapping(target.cast::<u8>(), copy.cast::<u8>(), size) };
    // SAFETY: moves the copy over the page, which stays mapped with the same contents and permissions.
    let moved = unsafe { libc::mremap(copy, size, size, libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED, target) };
    let is_replaced = moved != libc::MAP_FAILED;
    if is_replaced {
        COUNT.fetch_add(1, Ordering::SeqCst);
    }
    is_replaced
}

/// Returns the kind of the mapping at an address.
fn find_mapping(address: usize) -> Mapping {
    // SAFETY: the path is a C string.
    let file = unsafe { libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return Mapping::Other;
    }
    let mapping = read_mapping(file, address);
    // SAFETY: `file` was opened above and is not used again.
    unsafe { libc::close(file) };
    mapping
}

fn read_mapping(file: c_int, address: usize) -> Mapping {
    // Longer than a path and the other fields of its line.
    let mut buffer = [0u8; 8192];
    let mut used = 0;
    loop {
        let free = &mut buffer[used..];
        // SAFETY: `free` is valid for writes of its length.
        let read = unsafe { libc::read(file, free.as_mut_ptr().cast(), free.len()) };
        let Some(read) = usize::try_from(read).ok().filter(|read| *read > 0) else { return Mapping::Other };
        used += read;
        let mut start = 0;
        while let Some(length) = buffer[start..used].iter().position(|byte| *byte == b'\n') {
            if let Some(mapping) = classify(&buffer[start..start + length], address) {
                return mapping;
            }
            start += length + 1;
        }
        buffer.copy_within(start..used, 0);
        used -= start;
        if used == buffer.len() {
            return Mapping::Other;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::fd::AsRawFd};

    use super::*;

    /// Sends SIGBUS to this thread, as the kernel does when a write to `address` fails.
    fn raise_bus_error(address: *mut u8) {
        // SAFETY: all-zero bytes are a valid `siginfo_t`. The address of SIGBUS is its first union field, 16 bytes from the start.
        unsafe {
            let mut info: siginfo_t = mem::zeroed();
            info.si_signo = libc::SIGBUS;
            info.si_code = libc::BUS_ADRERR;
            (&raw mut info).cast::<u8>().add(16).cast::<*mut u8>().write(address);
            assert_eq!(info.si_addr(), address.cast());
            let (process, thread) = (libc::getpid(), libc::gettid());
            let sent = libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, libc::SIGBUS, &raw const info);
            assert_eq!(sent, 0, "{}", io::Error::last_os_error());
        }
    }

    /// Maps a file of three pages.
    fn map(file: &fs::File, page_size: usize) -> *mut u8 {
        // SAFETY: a new mapping affects no other.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                3 * page_size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(memory, libc::MAP_FAILED);
        memory.cast()
    }

    #[test]
    fn page_that_cannot_be_written_is_replaced_by_a_copy() {
        install().unwrap();
        install().unwrap();
        let page_size = PREVIOUS.get().unwrap().page_size;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lists.db-shm");
        fs::write(&path, vec![7; 3 * page_size]).unwrap();
        let file = fs::File::options().read(true).write(true).open(&path).unwrap();
        let memory = map(&file, page_size);
        let before = count();
        // SAFETY: all addresses are within the mapping of three pages.
        unsafe {
            let middle = memory.add(page_size);
            raise_bus_error(middle.add(100));
            assert_eq!(count(), before + 1);
            assert_eq!((middle.read(), middle.add(page_size - 1).read()), (7, 7));
            middle.write(8);
            memory.write(9);
            // A second thread that failed on the same page at the same time.
            raise_bus_error(middle.add(200));
            assert_eq!((count(), middle.read()), (before + 1, 8));
            assert_eq!(libc::munmap(memory.cast(), 3 * page_size), 0);
        }
        let stored = fs::read(&path).unwrap();
        assert_eq!((stored[0], stored[page_size], stored[2 * page_size]), (9, 7, 7), "only this page is private");
    }
}
